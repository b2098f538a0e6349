"""Columns of a table that nobody means to forecast: row numbers, ids, what the date says already.

T rows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from amlnn.data.series.csv_table import NO_NAME
from amlnn.data.series.number_cells import MISSING, looks_like_number

__all__ = ['SeveralSeries', 'in_turns', 'is_one_word', 'several_series', 'telling_pair', 'unmeant']

_PART_OF_TIME = re.compile(r'(?i).*(hour|time|stunde|zeit|minute|period|interval|month|day)s?')
_TIME_OF_DAY = re.compile(r'\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?')

_MOST_KEYS = 8  # columns of which two may tell series apart
_LEAST = 10  # rows: in fewer, numbers count by chance
_ID = re.compile(r'(?i:(?:.*[ _.\-])?ids?)|.*[a-z](?:Id|ID)|(?i:index|row|rownum|row_number)')


def unmeant(name: str, values: np.ndarray, times: np.ndarray | None) -> str | None:
    """Why a column of numbers is not one to forecast; None if it is.

    Args:
        name: Its name.
        values: [T] float64, NaN where missing.
        times: [T] datetime64[s] as they are read on the wall, None without.

    >>> unmeant('nr', np.arange(30.0), None)
    'counts the rows'
    """
    if name.startswith(NO_NAME):
        return 'has no name'
    if len(values) < _LEAST or np.isnan(values).any():
        return None
    if (np.diff(values) == 1).all():
        return 'counts the rows'
    if (values == np.round(values)).all() and _ID.fullmatch(name):
        return 'holds ids'
    if times is None or (values == values[0]).all():
        return None
    for what, derived in _calendar(times):
        if np.array_equal(values, derived):
            return f'is the {what} of the date'
    return None


def is_one_word(cells: Sequence[str]) -> bool:
    """Whether all cells of a column are one word, as its currency, or the one series of a file.

    >>> is_one_word(['EUR', 'EUR']), is_one_word(['', '']), is_one_word(['1', '1'])
    (True, False, False)
    """
    return len(cells) > 1 and cells[0] == cells[-1] and len(set(cells)) == 1 \
        and cells[0].strip().lower() not in MISSING and not looks_like_number(cells[0])


@dataclass(frozen=True)
class SeveralSeries:
    """Series one below the other, and the column that tells them apart."""

    column: str
    names: list[str]
    """In order."""
    named_so: bool
    """Whether its name, or words in it, say that it holds ids."""

    @property
    def part_of_time(self) -> bool:
        """Whether it says the hour, say, of dates in another column: then it is one series."""
        return _says_time(self.column, self.names)


def several_series(columns: Sequence[tuple[str, list[str]]], times: np.ndarray,
                   jumps: np.ndarray) -> SeveralSeries | None:
    """The column whose value says which series a row is of, if there is one.

    Args:
        columns: Names and cells [T] of all columns but the times.
        times: [T] datetime64[s].
        jumps: [J] rows at which time does not go on as it does elsewhere.
    """
    found, stay = [], np.diff(times).astype(np.int64)
    often = len(times) > 1.5 * len(np.unique(times))
    for name, cells in columns:
        names, codes = np.unique(np.array(cells), return_inverse=True)
        if not 2 <= len(names) <= len(cells) / 3 or not _names_things(cells):
            continue
        changes = np.flatnonzero(np.diff(codes)) + 1
        blocks = len(changes) + 1 == len(names)
        if (stay <= 0).any():  # times repeat, or begin anew: not within one name
            order = np.argsort(codes, kind='stable')
            same = np.diff(codes[order]) == 0
            rising = np.diff(times[order]).astype(np.int64) > 0
            explained = np.mean(rising[same]) > 0.99 and (blocks or often)
        else:
            explained = blocks and np.isin(changes, jumps).all()
        if explained:
            words, id_name = not _are_numbers(cells), bool(_ID.fullmatch(name))
            found.append((not words, not id_name, len(found), SeveralSeries(
                name, list(dict.fromkeys(cells)), words or id_name)))
    return min(found, key=lambda each: each[:3])[-1] if found else None


def in_turns(columns: Sequence[tuple[str, list[str]]], times: np.ndarray,
             surely: bool = True) -> SeveralSeries | None:
    """The column whose series take turns: each goes on in steps of its own, all together in none.

    Sensors that are read one after the other are so: no time of the file comes twice.

    Args:
        columns: Names and cells [T] of all columns but the times.
        times: [T] datetime64[s], rising.
        surely: False for what may be so too: all together go on in one step, from word to word.

    >>> when = np.datetime64('2024-01-01', 's') + np.arange(60) // 2 * 600 + np.arange(60) % 2 * 97
    >>> in_turns([('sensor', list('ab') * 30)], when).names
    ['a', 'b']
    >>> in_turns([('sensor', list('ab') * 30)], when[0] + np.arange(60) * 300)
    """
    if len(times) < 2 * _LEAST:
        return None
    seconds = times.astype(np.int64)
    steady = _steadiness(np.diff(seconds))
    for name, cells in columns:
        names, codes = np.unique(np.array(cells), return_inverse=True)
        counts = np.bincount(codes)
        # Of sensors that are read together, a step in as many as they are is a longer one.
        turns = np.mean(np.diff(codes) != 0) >= 0.9
        if surely and not (steady <= 0.7 or (turns and steady < 1 - 0.5 / len(names))):
            continue
        if not surely and (not turns or _are_numbers(cells)):
            continue
        if len(names) < 2 or counts.min() < _LEAST or not _names_things(cells) \
                or _says_time(name, names.tolist()) or _follows_calendar(codes, times):
            continue
        order = np.argsort(codes, kind='stable')
        parts = np.split(seconds[order], np.cumsum(counts)[:-1])
        if all(_steadiness(np.diff(part)) >= 0.9 for part in parts):
            return SeveralSeries(name, list(dict.fromkeys(cells)), True)
    return None


def _steadiness(steps: np.ndarray) -> float:
    """The share of steps that are about as long as most."""
    usual = np.median(steps)
    return float(np.mean(np.abs(steps - usual) <= usual / 4))


def _follows_calendar(codes: np.ndarray, times: np.ndarray) -> bool:
    """Whether the time says which name a row has: then it is a part of the day, the week, ..."""
    for what, each in _calendar(times):
        kinds, places = np.unique(each, return_inverse=True)
        pairs = len(np.unique(places * (codes.max() + 1) + codes))
        if what != 'minute' and 1 < len(kinds) <= 31 and pairs == len(kinds):
            return True
    return False


def telling_pair(columns: Sequence[tuple[str, list[str]]], times: np.ndarray,
                 alone: Sequence[str]) -> list[str] | None:
    """Two columns, of words or called ids, that together tell series apart as none does alone.

    Args:
        columns: Names and cells [T] of all columns but the times.
        times: [T] datetime64[s].
        alone: The column that does so best alone, if any.

    >>> when = np.array(['2024-01-01', '2024-01-02'], 'M8[s]').repeat(4)
    >>> telling_pair([('shop', list('aabb') * 2), ('kind', list('xyxy') * 2)], when, ['shop'])
    ['shop', 'kind']
    """
    moments = np.unique(times, return_inverse=True)[1]
    found = {}
    for name, cells in columns:
        names, codes = np.unique(np.array(cells), return_inverse=True)
        if name in alone and _all_different(codes, moments):
            return None
        if 2 <= len(names) <= len(cells) / 3 and _names_things(cells) \
                and (not _are_numbers(cells) or _ID.fullmatch(name)) \
                and not _says_time(name, names.tolist()):
            found[name] = codes
    for one, other in combinations(list(found)[:_MOST_KEYS], 2):
        codes = found[one] * (found[other].max() + 1) + found[other]
        if len(np.unique(codes)) <= len(times) / 2 and _all_different(codes, moments):
            return [one, other]
    return None


def _all_different(codes: np.ndarray, moments: np.ndarray) -> bool:
    """Whether no series has a moment twice."""
    return len(np.unique(codes * (moments.max() + 1) + moments)) == len(codes)


def _says_time(name: str, cells: Sequence[str]) -> bool:
    return bool(_PART_OF_TIME.fullmatch(name)) \
        or all(_TIME_OF_DAY.fullmatch(cell.strip()) for cell in cells)


def _names_things(cells: list[str]) -> bool:
    """Whether cells may be ids: words, or whole numbers."""
    filled = [cell for cell in cells if cell]  # that a row has no name is said afterwards
    if not filled or not _are_numbers(filled):
        return bool(filled)
    numbers = np.array(filled, dtype=np.float64)
    return bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())


def _are_numbers(cells: list[str]) -> bool:
    try:
        np.array([cell for cell in cells if cell], dtype=np.float64)
    except ValueError:
        return False
    return True


def _calendar(times: np.ndarray):
    """What a date says, by name, [T] each, in the ways people count it."""
    days, months, years = (times.astype(f'datetime64[{unit}]') for unit in 'DMY')
    seconds = times.astype('datetime64[s]').astype(np.int64)
    year = years.astype(np.int64) + 1970
    month = months.astype(np.int64) % 12 + 1
    day = (days - months).astype(np.int64) + 1
    hour = seconds // 3600 % 24
    weekday = (days.astype(np.int64) + 3) % 7
    yield 'year', year
    yield 'quarter', (month + 2) // 3
    yield 'month', month
    yield 'day', day
    yield 'day of the year', (days - years).astype(np.int64) + 1
    yield 'hour', hour
    yield 'minute', seconds // 60 % 60
    for first in range(7):  # Monday first, Sunday first; from 0 or 1
        yield 'day of the week', (weekday + first) % 7
        yield 'day of the week', (weekday + first) % 7 + 1
    yield 'weekend', weekday >= 5
    yield 'date as a number', (year * 100 + month) * 100 + day
    for unit in (1, 1000, 10 ** 6, 10 ** 9):
        yield 'time in seconds since 1970', seconds * unit
