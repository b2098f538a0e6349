"""Numbers as people and programs write them, from the cells of columns.

A dot or a comma may stand before decimals or between thousands. What a file means is concluded from
all of its cells together, and only where they leave no doubt.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from amlnn.errors import DataError

__all__ = ['MISSING', 'NumberStyle', 'conclude_style', 'looks_like_number', 'plain_numbers',
           'unit_of']

MISSING = frozenset(('', 'nan', 'na', 'n/a', 'null', 'none', '<na>', '#n/a', 'nat', '-nan', '?',
                     '-', '--', '.', r'\n', '#div/0!', '#value!', '#ref!'))
"""Cells, in lower case, that say that nothing is there."""

_SPACES = " '\u2019\u00a0\u202f\u2009"
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
_GROUPS = rf'[+-]?\d{{1,3}}(?:([.,{_SPACES}])\d{{3}})(?:\1\d{{3}})*'
_GROUPED = re.compile(_GROUPS + r'(?:([.,])\d+)?')
_UNIT = re.compile(r'[+-]?[\d.,]+\s*([^\d\s.,+_-]\S*)|([^\d\s.,+_-]+)\s*[+-]?[\d.,]+')


@dataclass(frozen=True)
class NumberStyle:
    """What stands before decimals and between thousands.

    >>> NumberStyle(',', '.').number('1.234,5')
    1234.5
    """

    decimal: str = '.'
    thousands: str | None = None
    """None for nothing."""

    @property
    def plain(self) -> bool:
        """Whether it is that of Python."""
        return self.decimal == '.' and self.thousands is None

    def number(self, cell: str) -> float:
        """The number in a cell, NaN where it is missing.

        Raises:
            ValueError: it is not a number of this style.
        """
        text = cell.strip()
        if text.lower() in MISSING:
            return np.nan
        if self.thousands is not None and self.thousands in text:
            match = _GROUPED.fullmatch(text)
            if not match or match[1] != self.thousands or match[2] not in (None, self.decimal):
                raise ValueError(cell)
            text = text.replace(self.thousands, '')
        if self.decimal != '.':
            if '.' in text:
                raise ValueError(cell)
            text = text.replace(self.decimal, '.')
        if '_' in text:  # Python's own notation, and not a number in a file
            raise ValueError(cell)
        return float(text)


def conclude_style(cells: Iterable[tuple[str, int]], comma_separated: bool,
                   where: Callable[[int], str], decimal: str | None = None,
                   thousands: str | None = None) -> tuple[NumberStyle, str | None]:
    """What the numbers of a file have before decimals and between thousands.

    Args:
        cells: The cells, each with its row.
        comma_separated: Whether commas stand between the cells: then a dot is one before decimals.
        where: The place of a row, for messages.
        decimal: '.' or ',' where it is known.
        thousands: What is known to stand between thousands, None to find it out.

    Returns:
        The style, and what was concluded, None where nothing had to be.

    Raises:
        DataError: cells contradict each other, or all could be read in two ways.
    """
    if thousands is not None:
        return NumberStyle(decimal or (',' if thousands == '.' else '.'), thousands), None
    decimals: dict[str, tuple[str, int]] = {}
    groups: dict[str, tuple[str, int]] = {}
    either: dict[str, tuple[str, int]] = {}
    for cell, row in cells:
        _weigh(cell.strip(), row, decimals, groups, either)
    if decimal is not None:
        decimals = {decimal: decimals.get(decimal, ('', 0))}
        groups.pop(decimal, None)  # the cell is then named as one that is no number
    clash = [*decimals.values(), *groups.values()]
    if len(decimals) > 1 or len(groups) > 1 or decimals.keys() & groups.keys():
        first, second = clash[:2] if len(decimals) > 1 else clash[-2:]
        raise DataError(f'{where(second[1])} holds `{second[0]}`, and {where(first[1])} '
                        f'`{first[0]}`: dot and comma mean the one here and the other there',
                        hint="write all numbers in one way; decimal=',' and thousands='.' of the "
                        'source say which')
    if not decimals and either and not groups:
        sign, (cell, row) = next(iter(either.items()))
        if len(either) == 1 and not (sign == '.' and comma_separated):
            other = ',' if sign == '.' else '.'
            raise DataError(
                f'{where(row)} holds `{cell}`: {cell.replace(sign, "")} or '
                f'{cell.replace(sign, ".")}? no cell tells',
                hint=f"decimal='{sign}' of the source if decimals follow, thousands='{sign}' (and "
                f"decimal='{other}') if not")
        if len(either) == 2:
            raise DataError(f'{where(row)} holds `{cell}`, and '
                            f'`{next(reversed(either.values()))[0]}` is a number too: which has '
                            'decimals?', hint="decimal=',' or decimal='.' of the source says it")
    found = next(iter(decimals), None)
    apart = next(iter(groups), None)
    if found is None:
        found = ',' if apart == '.' else '.'
    if apart is None and _other(found) in either:
        apart = _other(found)
    style = NumberStyle(found, apart)
    if style.plain or (decimal is not None and apart is None):
        return style, None
    said = [f'`{found}` stands before decimals'] * (found != '.') \
        + [f'`{apart}` between thousands'] * (apart is not None)
    return style, 'in numbers ' + ' and '.join(said)


def looks_like_number(cell: str) -> bool:
    """Whether a cell is a number in some style; a missing one is not."""
    text = cell.strip()
    return bool(_NUMBER.fullmatch(text) or _GROUPED.fullmatch(text)
                or _NUMBER.fullmatch(text.replace(',', '.')))


def unit_of(cell: str) -> str | None:
    """The sign or word beside a number, None where that is not what a cell holds.

    >>> unit_of('5 %'), unit_of('€3.50'), unit_of('12 kWh'), unit_of('x')
    ('%', '€', 'kWh', None)
    """
    match = _UNIT.fullmatch(cell.strip())
    return (match[1] or match[2]).strip() if match else None


def _weigh(text: str, row: int, decimals: dict, groups: dict, either: dict) -> None:
    """Note what one cell says: for sure, or one of two things."""
    if not any(sign in text for sign in '.,') and not any(sign in text for sign in _SPACES):
        return
    grouped = _GROUPED.fullmatch(text)
    if grouped and grouped[2] and grouped[2] != grouped[1]:
        groups.setdefault(grouped[1], (text, row))
        decimals.setdefault(grouped[2], (text, row))
    elif grouped and not grouped[2] and (text.count(grouped[1]) > 1 or grouped[1] in _SPACES):
        groups.setdefault(grouped[1], (text, row))
    elif grouped and not grouped[2] and text.lstrip('+-')[0] != '0':
        either.setdefault(grouped[1], (text, row))
    elif _NUMBER.fullmatch(text):
        decimals.setdefault('.', (text, row))
    elif text.count(',') == 1 and _NUMBER.fullmatch(text.replace(',', '.')) and '.' not in text:
        decimals.setdefault(',', (text, row))


def _other(sign: str) -> str:
    return ',' if sign == '.' else '.'


def plain_numbers(cells: list[str]) -> np.ndarray | None:
    """[T] float64 where all cells are numbers as Python writes them, else None."""
    if '_' in ''.join(cells):  # Python would pass over it
        return None
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        return None
