"""The grid that the rows of a series lie on: an hour apart, business days, ends of months.

T rows.
"""

import re
from dataclasses import dataclass

import numpy as np

from amlnn.data.series.clock import NO_ZONE, Clock
from amlnn.errors import DataError

__all__ = ['TimeGrid', 'infer_grid']

_SECONDS = {'second': 1, 'minute': 60, 'hour': 3600, 'day': 86400, 'week': 7 * 86400}
_MONTHS = {'month': 1, 'quarter': 3, 'year': 12}
_DAY_NAMES = ('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
_BUSINESS = '1111100'
_LAST_DAY, _LAST_WEEKDAY, _FIRST_WEEKDAY = 31, -1, -2
_ANCHORS = {'start': 1, 'end': _LAST_DAY, 'last weekday': _LAST_WEEKDAY,
            'first weekday': _FIRST_WEEKDAY}
_DAYTIME = re.compile(r'(.+?) from (\d\d):(\d\d) to (\d\d):(\d\d)(?:, (.+))?')
_MONDAY = np.datetime64('1970-01-05T00:00:00')
_LEAST_CLOSED = 4 * 3600  # seconds of each day without a row, where rows are of a daytime
_NAME = re.compile(r'(?:(\d+) )?(second|minute|hour|day|week|month|quarter|year)s?'
                   r'(?:(?:,? )(start|end|last weekday|first weekday|day (\d+))s?)?')


@dataclass(frozen=True)
class TimeGrid:
    """Equal steps in seconds, days, given days of the week, or months; or in seconds of a part of
    the day, as opening hours are.

    >>> ahead = TimeGrid.parse('month end').ahead(np.datetime64('2024-01-31T00:00:00'), 2)
    >>> [str(time)[:10] for time in ahead]
    ['2024-02-29', '2024-03-31']
    """

    unit: str
    """'second', 'daytime', 'day', 'weekday' or 'month'."""
    count: int = 1
    """Units of a step; of a 'daytime' seconds."""
    days: str = '1111111'
    """Of a 'weekday' or 'daytime': 1 for each day of the week, Monday first, that has a row."""
    anchor: int = 1
    """Of a 'month': its day, 31 for the last one, or -1, -2 for the last, first weekday."""
    opens: int = 0
    """Of a 'daytime': seconds from midnight to the first row of a day."""
    closes: int = 0
    """Of a 'daytime': seconds from midnight to the last row of a day."""

    @classmethod
    def parse(cls, name: str) -> 'TimeGrid':
        """The grid of a name as `name` gives it.

        Raises:
            DataError: it is not a step.

        >>> TimeGrid.parse('15 minutes') == TimeGrid('second', 900)
        True
        >>> TimeGrid.parse('quarter end').name, TimeGrid.parse('1 hour from 09:00 to 17:00').per_day
        ('quarter end', 9)
        """
        text = name.strip().lower()
        daytime = _DAYTIME.fullmatch(text)
        if daytime:
            return cls._parse_daytime(name, daytime)
        if text in ('business day', 'business days'):
            return cls('weekday', days=_BUSINESS)
        days = [day.strip().capitalize()[:3] for day in text.split(',')]
        if set(days) <= set(_DAY_NAMES) and 1 < len(set(days)) < 7:
            return cls('weekday', days=''.join(str(int(day in days)) for day in _DAY_NAMES))
        found = _NAME.fullmatch(text)
        count = int(found[1] or 1) if found else 0
        if count and found[2] in _MONTHS:
            anchor = int(found[4]) if found[4] else _ANCHORS[found[3] or 'start']
            if anchor <= _LAST_DAY and anchor:
                return cls('month', count * _MONTHS[found[2]], anchor=anchor)
        if count and found[2] in _SECONDS and not found[3]:
            days, rest = divmod(count * _SECONDS[found[2]], 86400)
            return cls('second', 86400 * days + rest) if rest else cls('day', days)
        raise DataError(f'step={name!r} is not a step in time',
                        hint="step='15 minutes', 'hour', '1 day', 'week', 'business days', "
                        "'month start', 'month end', 'quarter end', 'year', say")

    @classmethod
    def _parse_daytime(cls, name: str, found: re.Match) -> 'TimeGrid':
        step = cls.parse(found[1])
        opens, closes = (3600 * int(found[place]) + 60 * int(found[place + 1]) for place in (2, 4))
        days = cls.parse(found[6]).days if found[6] else '1111111'
        if step.unit != 'second' or not opens < closes < 86400 or (closes - opens) % step.count:
            raise DataError(f'step={name!r}: the last row of a day is not a number of steps after '
                            'the first', hint="step='30 minutes from 08:00 to 16:30', say")
        return cls('daytime', step.count, days, opens=opens, closes=closes)

    @property
    def seconds(self) -> int | None:
        """Of a step, where all are as long (a day on the wall's clock counts as such)."""
        return {'second': 1, 'daytime': 1, 'day': 86400}.get(self.unit, 0) * self.count or None

    def only_hours_differ(self, other: 'TimeGrid') -> bool:
        """Whether both go on in the same seconds, in parts of the day that need not be the same."""
        within = ('second', 'daytime')
        return self.unit in within and other.unit in within and self.count == other.count

    @property
    def per_day(self) -> int:
        """Of a 'daytime': rows of a day."""
        return (self.closes - self.opens) // self.count + 1

    @property
    def name(self) -> str:
        """In words: '1 hour', '15 minutes', 'business days', 'month end'."""
        if self.unit == 'daytime':
            times = ' to '.join(f'{each // 3600:02}:{each // 60 % 60:02}'
                                for each in (self.opens, self.closes))
            days = '' if self.days == '1111111' else f', {TimeGrid("weekday", days=self.days).name}'
            return f'{TimeGrid("second", self.count).name} from {times}{days}'
        if self.unit == 'weekday':
            return 'business days' if self.days == _BUSINESS else ', '.join(
                day for day, taken in zip(_DAY_NAMES, self.days, strict=True) if taken == '1')
        if self.unit == 'month':
            unit = 'quarter' if self.count == 3 else 'month' if self.count % 12 else 'year'
            known = {anchor: word for word, anchor in _ANCHORS.items()}
            ending = ' ' + known[self.anchor] if self.anchor in known else f', day {self.anchor}'
            return _counted(self.count // _MONTHS[unit], unit, single='') + ending
        seconds = self.seconds
        unit = max((unit for unit, size in _SECONDS.items() if seconds % size == 0),
                   key=_SECONDS.get)
        return _counted(seconds // _SECONDS[unit], unit)

    def same_step(self, other: 'TimeGrid') -> bool:
        """Whether a model of one suits the other: ends of months follow each other as starts do."""
        return (self.unit, self.count, self.days, self.opens, self.closes) == \
            (other.unit, other.count, other.days, other.opens, other.closes)

    def positions(self, times: np.ndarray, clock: Clock = NO_ZONE) -> np.ndarray:
        """[T] int64: steps from the first row to each; -1 for a row that is not on the grid."""
        if self.unit == 'second':
            position, rest = np.divmod(_int(times - times[0], 's'), self.count)
            return np.where((rest == 0) & (position >= 0), position, -1)
        wall = clock.wall(times)
        dates = wall.astype('datetime64[D]')
        if self.unit == 'daytime':
            slot, rest = np.divmod(_int(wall - dates, 's') - self.opens, self.count)
            good = (rest == 0) & (slot >= 0) & (slot < self.per_day)
            good &= np.is_busday(dates, self.days)
            position = np.busday_count(dates[0], dates, self.days) * self.per_day + slot - slot[0]
            return np.where(good & (position >= 0), position, -1)
        days = _int(dates - dates[0], 'D')
        # Not the wall's time of day: on some days clocks skip midnight.
        good = clock.times(dates + _time_of_day(wall)) == times
        if self.unit == 'day':
            position, rest = np.divmod(days, self.count)
            good &= rest == 0
        elif self.unit == 'weekday':
            good &= np.is_busday(dates, self.days)
            position = np.busday_count(dates[0], dates, self.days)
        else:
            months = dates.astype('datetime64[M]')
            position, rest = np.divmod(_int(months - months[0], 'M'), self.count)
            good &= (rest == 0) & (_day_of(months, self.anchor) == dates)
        return np.where(good & (position >= 0), position, -1)

    def absolute(self, times: np.ndarray, clock: Clock = NO_ZONE) -> np.ndarray:
        """[T] int64: steps from a Monday's midnight, the same one for every file, to each row.

        As far as steps make days and weeks, rows at the same time of day or week thus differ by
        whole ones. Hours and shorter steps go by the clock on the wall, as people and their loads
        do: where it is put forward a number is left out, where it is put back some come twice.

        >>> hour, day = TimeGrid.parse('hour'), TimeGrid.parse('business days')
        >>> hour.absolute(np.array(['1970-01-05T02', '1970-01-12T00:30'], 'M8[s]')).tolist()
        [2, 168]
        >>> day.absolute(np.array(['1970-01-09', '1970-01-12'], 'M8[s]')).tolist()
        [4, 5]
        """
        if self.unit == 'second' and self.count > 3600:  # a change of clocks is no step
            return _int(times - _MONDAY, 's') // self.count
        wall = clock.wall(times)
        if self.unit == 'second':
            return _int(wall - _MONDAY, 's') // self.count
        dates = wall.astype('datetime64[D]')
        if self.unit == 'month':
            return _int(dates.astype('datetime64[M]') - _MONDAY.astype('datetime64[M]'), 'M') \
                // self.count
        if self.unit == 'day':
            return _int(dates - _MONDAY.astype('datetime64[D]'), 'D') // self.count
        days = np.busday_count(_MONDAY.astype('datetime64[D]'), dates, self.days)
        if self.unit == 'weekday':
            return days
        return days * self.per_day + (_int(wall - dates, 's') - self.opens) // self.count

    def at(self, first: np.datetime64, positions: np.ndarray, clock: Clock = NO_ZONE) -> np.ndarray:
        """[N] datetime64[s]: the times so many steps after a row.

        Args:
            first: Time of the row.
            positions: [N] int64.
            clock: Of the series.
        """
        steps = np.asarray(positions, dtype=np.int64) * self.count
        if self.unit == 'second':
            return first + steps * np.timedelta64(1, 's')
        wall = clock.wall(np.array([first], dtype='datetime64[s]'))
        date = wall.astype('datetime64[D]')
        if self.unit == 'daytime':
            slot = (_int(wall - date, 's') - self.opens) // self.count
            days, slots = np.divmod(slot + np.asarray(positions, dtype=np.int64), self.per_day)
            dates = np.busday_offset(date, days, roll='forward', weekmask=self.days)
            seconds = _units(self.opens + slots * self.count, 's')
            return clock.times((dates + seconds).astype('datetime64[s]'))
        if self.unit == 'day':
            dates = date + _units(steps, 'D')
        elif self.unit == 'weekday':
            dates = np.busday_offset(date, steps, roll='forward', weekmask=self.days)
        else:
            dates = _day_of(date.astype('datetime64[M]') + _units(steps, 'M'), self.anchor)
        return clock.times((dates + (wall - date)).astype('datetime64[s]'))

    def ahead(self, last: np.datetime64, count: int, clock: Clock = NO_ZONE) -> np.ndarray:
        """[count] datetime64[s], the times that follow a row."""
        return self.at(last, np.arange(1, count + 1), clock)


def infer_grid(times: np.ndarray, clock: Clock = NO_ZONE) -> TimeGrid | None:
    """The grid that most rows lie on; None of fewer than two.

    Args:
        times: [T] datetime64[s], strictly rising.
        clock: Their zone.

    >>> infer_grid(np.array(['2024-01-31', '2024-02-29', '2024-03-31'], 'M8[s]')).name
    'month end'
    """
    if len(times) < 2:
        return None
    step = _most_common(_int(np.diff(times), 's'))
    wall = clock.wall(times)
    on_wall = _most_common(_int(np.diff(wall), 's'))
    if (on_wall % 86400 and step % 86400) or min(step, on_wall) < 86400 - 7200:
        return _daytime(wall, on_wall) or TimeGrid('second', step)
    # As they stand: a row at another time of day is a row that is off the grid, not another day.
    dates = wall.astype('datetime64[D]')
    days = _int(np.diff(dates), 'D')
    return _monthly(dates, days) or _weekdays(dates, days) \
        or TimeGrid('day', max(_most_common(days), 1))


def _daytime(wall: np.ndarray, step: int) -> TimeGrid | None:
    """Steps within a part of every day, where at least four hours of all days have no row."""
    dates = wall.astype('datetime64[D]')
    seconds = _int(wall - dates, 's')
    opens, closes = int(seconds.min()), int(seconds.max())
    taken = np.unique(dates)
    # A day of few rows shows nothing, and days that are mostly empty are gaps, not closing hours.
    if step < 60 or opens % 60 or closes + step - opens > 86400 - _LEAST_CLOSED \
            or len(taken) < 5 or closes == opens \
            or ((seconds - opens) % step).any():
        return None
    grid = TimeGrid('daytime', step, opens=opens, closes=closes)
    if len(wall) < 0.5 * len(taken) * grid.per_day:
        return None
    weekdays = np.bincount(_int(taken - np.datetime64('1970-01-05'), 'D') % 7, minlength=7)
    if len(taken) >= 15 and not weekdays[5:].any():
        grid = TimeGrid('daytime', step, _BUSINESS, opens=opens, closes=closes)
    return grid


def _monthly(dates: np.ndarray, days: np.ndarray) -> TimeGrid | None:
    if np.median(days) < 28 or days.min() < 25:
        return None
    months = dates.astype('datetime64[M]')
    apart = _int(np.diff(months), 'M')
    in_month = _int(dates - months, 'D') + 1
    # The most usual day, the last before the 28th of a February; then the weekdays.
    usual = [_most_common(in_month), int(in_month.max())]
    for anchor in (_LAST_DAY, *usual, _LAST_WEEKDAY, _FIRST_WEEKDAY):
        held = np.mean(_day_of(months, anchor) == dates)
        if held == 1 or (anchor > 0 and len(dates) > 12 and held > 0.9):
            return TimeGrid('month', max(_most_common(apart), 1), anchor=anchor)
    return None


def _weekdays(dates: np.ndarray, days: np.ndarray) -> TimeGrid | None:
    """Business days, or other days of the week, where that explains more steps than days do."""
    taken = np.bincount((_int(dates - np.datetime64('1970-01-05'), 'D')) % 7, minlength=7) > 0
    found = [''.join(str(int(each)) for each in taken)]
    if not taken[5:].any():
        found.insert(0, _BUSINESS)
    if _int(dates[-1] - dates[0], 'D') < 21:  # too short to tell another week from a chance
        found = [each for each in found if each == _BUSINESS]
    best, explained = None, np.mean(days == _most_common(days))
    for each in found:
        share = np.mean(np.diff(np.busday_count(dates[0], dates, each)) == 1)
        if 1 < each.count('1') < 7 and share > explained:
            best, explained = TimeGrid('weekday', days=each), share
    return best


def _day_of(months: np.ndarray, anchor: int) -> np.ndarray:
    """[N] datetime64[D], the day of each month."""
    first = months.astype('datetime64[D]')
    last = (months + _units(1, 'M')).astype('datetime64[D]') - _units(1, 'D')
    if anchor == _LAST_WEEKDAY:
        return np.busday_offset(last, 0, roll='backward')
    if anchor == _FIRST_WEEKDAY:
        return np.busday_offset(first, 0, roll='forward')
    return np.minimum(first + _units(anchor - 1, 'D'), last)


def _units(count: int | np.ndarray, unit: str) -> np.ndarray:
    # Without its unit a number is added to times only by older numpy.
    return np.asarray(count, dtype=np.int64).astype(f'timedelta64[{unit}]')


def _time_of_day(wall: np.ndarray) -> np.timedelta64:
    return np.timedelta64(_most_common(_int(wall - wall.astype('datetime64[D]'), 's')), 's')


def _most_common(numbers: np.ndarray) -> int:
    """The one that occurs most, the least of several."""
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[counts.argmax()])


def _int(times: np.ndarray, unit: str) -> np.ndarray:
    return times.astype(f'timedelta64[{unit}]').astype(np.int64)


def _counted(count: int, unit: str, single: str = '1 ') -> str:
    return f'{single}{unit}' if count == 1 else f'{count} {unit}s'
