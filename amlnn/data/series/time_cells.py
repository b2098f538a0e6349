"""Times as people and programs write them, from the cells of a column.

T rows.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from amlnn.data.series.clock import Clock, find_zone, zones_with_offsets
from amlnn.errors import DataError

__all__ = ['TimeCells', 'looks_like_time']

_YEARS = range(1500, 2501)
_DAY_OF_TIME = r'(?:[T,]?\s*(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?' \
               r'\s*(Z|[+-]\d{2}:?\d{2})?)?'
# Not 2024.5 alone: that may be the middle of a year.
_YEAR_FIRST = re.compile(r'(\d{4})(?:[-/](\d{1,2})|[-./](\d{1,2})[-./](\d{1,2}))'
                         + _DAY_OF_TIME)
_YEAR_LAST = re.compile(r'(\d{1,2})([-./])(\d{1,2})\2(\d{4})' + _DAY_OF_TIME)
_QUARTER = re.compile(r'(\d{4})[- /]?[Qq]([1-4])|[Qq]([1-4])[- /]?(\d{4})')
_WORDS = ('%d %b %Y', '%d %B %Y', '%b %d %Y', '%B %d %Y', '%b %Y', '%B %Y', '%Y %b', '%Y %B')
_EPOCHS = {10: 1, 13: 1000, 16: 10 ** 6, 19: 10 ** 9}
_FORMAT_HINT = "date_format='%d.%m.%Y %H:%M' says how times are written; date_column=None reads " \
               'none'


@dataclass
class TimeCells:
    """The cells of one column, and what is known of them.

    Raises:
        DataError: by `read`: a cell is not a time, or could be two.
    """

    cells: list[str]
    where: Callable[[int], str]
    """The place of a row, for messages."""
    date_format: str | None = None
    """As `datetime.strptime` takes it; None to find it out."""
    timezone: str | None = None
    """The zone of times without an offset, and the one that times are written in."""

    def read(self) -> tuple[np.ndarray, Clock, list[str]]:
        """[T] datetime64[s], in UTC where a zone is known; the clock; what was concluded."""
        self._notes: list[str] = []
        found = self._parse()
        for row, time in enumerate(found):
            if time.microsecond:
                raise DataError(f'{self.where(row)} holds `{self.cells[row]}`, a fraction of a '
                                'second', hint='bring the rows to whole seconds; date_column=None '
                                'counts rows instead of time')
        aware = [time.tzinfo is not None for time in found]
        if all(aware):
            return *self._instants(found), self._notes
        if any(aware):
            row = aware.index(not aware[0])
            has, has_not = (0, row) if aware[0] else (row, 0)
            raise DataError(f'{self.where(row)} holds `{self.cells[row]}`: `{self.cells[has]}` has '
                            f'an offset, and `{self.cells[has_not]}` has none',
                            hint='write all times with their offset, or none')
        wall = np.array(found, dtype='datetime64[s]')
        if self.timezone is None:
            return wall, Clock(), self._notes
        clock = Clock(find_zone(self.timezone), self._separator())
        return self._from_wall(wall, clock), clock, self._notes

    def _parse(self) -> list[datetime]:
        if self.date_format is not None:
            return [self._strptime(cell.strip(), row) for row, cell in enumerate(self.cells)]
        try:
            return [_checked(_iso(cell)) for cell in self.cells]
        except ValueError:
            pass
        epochs = self._epochs()
        if epochs is not None:
            return epochs
        matches = [_YEAR_LAST.fullmatch(cell.strip()) for cell in self.cells]
        day_first = self._day_first(matches)
        return [self._one(cell, match, day_first, row)
                for row, (cell, match) in enumerate(zip(self.cells, matches, strict=True))]

    def _strptime(self, cell: str, row: int) -> datetime:
        try:
            return datetime.strptime(cell, self.date_format)
        except ValueError:
            raise DataError(f'{self.where(row)} holds `{self.cells[row]}`, which is not a time in '
                            f'date_format={self.date_format!r}', hint=_FORMAT_HINT) from None

    def _one(self, cell: str, match: re.Match | None, day_first: bool, row: int) -> datetime:
        try:
            if match is None:
                return _checked(_other(cell.strip()))
            first, _, second, year, *time = match.groups()
            day, month = (first, second) if day_first else (second, first)
            return _checked(_with_time(year, month, day, time))
        except ValueError:
            hint = _FORMAT_HINT
            if re.fullmatch(r'\d+(\.\d+)?', cell.strip()):
                hint = "numbers are not times: date_format='%d%m%Y' or '%Y%m', say, if these " \
                       'are; date_column=None counts rows'
            raise DataError(f'{self.where(row)} holds `{cell}`, which is not a time',
                            hint=hint) from None

    def _day_first(self, matches: list[re.Match | None]) -> bool:
        """Whether 01/02/2024 is in February: what the whole column says."""
        known = [(row, match) for row, match in enumerate(matches) if match]
        if not known:
            return True
        day = next((row for row, match in known if int(match[1]) > 12), None)
        month = next((row for row, match in known if int(match[3]) > 12), None)
        if day is not None and month is not None:
            raise DataError(f'{self.where(max(day, month))} holds `{self.cells[max(day, month)]}`: '
                            f'in `{self.cells[day].strip()}` the day comes first, in '
                            f'`{self.cells[month].strip()}` the month',
                            hint='write all times in one way, best as 2024-03-31')
        row, match = known[0]
        separator = match[2]
        if day is None and month is None and separator != '.':
            time = ' %H:%M' if match[5] else ''
            raise DataError(
                f'{self.where(row)} holds `{self.cells[row]}`: no row tells the day from the month',
                hint=f"date_format='%d{separator}%m{separator}%Y{time}' puts the day first, "
                f"date_format='%m{separator}%d{separator}%Y{time}' the month")
        self._notes.append(f'in `{self.cells[row].strip()}` the '
                           f'{"day" if month is None else "month"} comes first')
        return month is None

    def _epochs(self) -> list[datetime] | None:
        """Times as seconds (or thousandths, ...) since 1970, if all cells have as many digits."""
        texts = [cell.strip() for cell in self.cells]
        if not all(text.isdecimal() for text in texts) \
                or len({len(text) for text in texts} - _EPOCHS.keys()):
            return None
        self._notes.append(f'`{texts[0]}` is a time in seconds since 1970, or a fraction of them')
        start = datetime(1970, 1, 1, tzinfo=UTC)
        return [start + timedelta(microseconds=int(text) * 10 ** 6 // _EPOCHS[len(text)])
                for text in texts]

    def _instants(self, found: list[datetime]) -> tuple[np.ndarray, Clock]:
        times = np.array([time.astimezone(UTC).replace(tzinfo=None) for time in found],
                         dtype='datetime64[s]')
        mark = 'Z' if self.cells[0].strip().endswith(('Z', 'z')) else '+00:00'
        if self.timezone is not None:
            return times, Clock(find_zone(self.timezone), self._separator(), mark)
        offsets = np.array([int(time.utcoffset().total_seconds()) for time in found])
        if (offsets == offsets[0]).all():
            return times, Clock(found[0].tzinfo, self._separator(), mark)
        names = zones_with_offsets(times, offsets)
        if not names:
            row = int(np.flatnonzero(np.diff(offsets))[0]) + 1
            raise DataError(f'{self.where(row)} holds `{self.cells[row]}`: no time zone has its '
                            f'offset and that of `{self.cells[row - 1].strip()}`',
                            hint="timezone='UTC' of the source brings all times to one")
        self._notes.append(f'the offsets are those of {names[0]}; timezone= of the source names '
                           'another zone')
        return times, Clock(ZoneInfo(names[0]), self._separator(), mark)

    def _from_wall(self, wall: np.ndarray, clock: Clock) -> np.ndarray:
        """Instants: an hour that clocks show twice is the first, then, in order, the second."""
        times, later, skipped = clock.read_wall(wall)
        one_time_of_day = len(np.unique(wall - wall.astype('datetime64[D]'))) == 1
        if skipped.any() and not one_time_of_day:  # a day without a midnight is a day
            row = int(skipped.argmax())
            raise DataError(f'{self.where(row)} holds `{self.cells[row]}`, which clocks in '
                            f'{self.timezone} skipped',
                            hint="are these times of winter all year? timezone='+01:00' says so")
        for row in np.flatnonzero(later):
            if row and times[row] <= times[row - 1]:
                times[row] += np.timedelta64(int(later[row]), 's')
        return times

    def _separator(self) -> str:
        return 'T' if re.search(r'\dT\d', self.cells[0]) else ' '


def looks_like_time(cell: str) -> bool:
    """Whether a cell is a time in a form that needs no format, and not a plain number."""
    text = cell.strip()
    if text.isdecimal():
        return False
    try:
        if not _YEAR_LAST.fullmatch(text):
            _checked(_other(text))
        return True
    except ValueError:
        return False


def _iso(cell: str) -> datetime:
    """ISO 8601, also with / for -, a month or a year alone."""
    text = cell.strip().replace('/', '-')
    if len(text) in (4, 7) and text[:4].isdecimal() and text[4:5] in ('', '-') \
            and 'W' not in text:
        text += '-01-01'[-(10 - len(text)):]
    return datetime.fromisoformat(text)


def _other(text: str) -> datetime:
    try:
        return _iso(text)
    except ValueError:
        pass
    match = _YEAR_FIRST.fullmatch(text)
    if match:
        year, alone, month, day, *time = match.groups()
        return _with_time(year, alone or month, day or '1', time)
    match = _QUARTER.fullmatch(text)
    if match:
        return datetime(int(match[1] or match[4]), 3 * int(match[2] or match[3]) - 2, 1)
    words = ' '.join(re.split(r'[\s,.\-/]+', text))
    for form in _WORDS if any(each.isalpha() for each in words) else ():
        try:
            return datetime.strptime(words, form)
        except ValueError:
            continue
    raise ValueError(text)


def _with_time(year: str, month: str, day: str, time: list[str | None]) -> datetime:
    hour, minute, second, fraction, half, offset = time
    number = int(hour or 0)
    if half:
        if not 1 <= number <= 12:
            raise ValueError(hour)
        number = number % 12 + 12 * (half[0] in 'Pp')
    midnight = number == 24 and not int(minute) and not int(second or 0)  # the end of a day
    text = f'{year}-{int(month):02}-{int(day):02}T{0 if midnight else number:02}:' \
           f'{minute or "00"}:{second or "00"}{fraction or ""}{offset or ""}'
    return datetime.fromisoformat(text) + timedelta(days=midnight)


def _checked(time: datetime) -> datetime:
    if time.year not in _YEARS:  # a number, read as a year
        raise ValueError(time)
    return time
