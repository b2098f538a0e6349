"""Between instants and the time on the wall, and how times are written.

Times of a series are datetime64[s]: instants in UTC where the file says its zone, else as they
stand in the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from amlnn.errors import DataError
from amlnn.suggest import did_you_mean

__all__ = ['NO_ZONE', 'Clock', 'find_zone', 'zones_with_offsets']

_SECOND, _DAY = np.timedelta64(1, 's'), np.timedelta64(1, 'D')
# Where several zones have the same offsets, one that most people know.
_KNOWN = ('Europe/Berlin', 'Europe/London', 'Europe/Helsinki', 'America/New_York',
          'America/Chicago', 'America/Denver', 'America/Los_Angeles', 'Australia/Sydney')


@dataclass(frozen=True)
class Clock:
    """A zone, or none, and the way its times are written.

    >>> clock = Clock(find_zone('Europe/Berlin'))
    >>> clock.written(np.array(['2024-03-31T00:00:00', '2024-03-31T01:00:00'], 'M8[s]'))
    ['2024-03-31 01:00:00+01:00', '2024-03-31 03:00:00+02:00']
    """

    zone: tzinfo | None = None
    """None: times are as they stand in the file, which names no zone."""
    separator: str = ' '
    """Between date and time of day."""
    utc_mark: str = '+00:00'
    """How the offset 0 is written."""

    def wall(self, times: np.ndarray) -> np.ndarray:
        """[T] datetime64[s], what a clock on the wall shows at these times."""
        if self.zone is None:
            return times
        return times + self._offsets(times) * _SECOND

    def times(self, wall: np.ndarray) -> np.ndarray:
        """[T] datetime64[s] of what the wall shows; of two the earlier, after what is skipped."""
        return self.read_wall(wall)[0]

    def read_wall(self, wall: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times of what the wall shows.

        Returns:
            [T] datetime64[s] of the earlier of two instants; [T] seconds to the later one, 0 where
            there is one alone; [T] bool, True where clocks were put forward past this time.
        """
        later = np.zeros(len(wall), dtype=np.int64)
        skipped = np.zeros(len(wall), dtype=bool)
        if self.zone is None:
            return wall, later, skipped
        first = np.empty(len(wall), dtype=np.int64)
        for rows, day in _by_day(wall):
            starts = [self._fold(day, 0), self._fold(day, 1), self._fold(day + _DAY, 0)]
            if len(set(starts)) == 1:
                first[rows] = starts[0]
                continue
            for row in rows:
                first[row], second = (self._fold(wall[row], fold) for fold in (0, 1))
                later[row] = max(first[row] - second, 0)
                skipped[row] = second > first[row]
        return wall - first * _SECOND, later, skipped

    def written(self, times: np.ndarray) -> list[str]:
        """Each time as text, with its offset where a zone is known."""
        texts = [str(each).replace('T', self.separator) for each in self.wall(times)]
        if self.zone is None:
            return texts
        return [text + self._mark(int(offset))
                for text, offset in zip(texts, self._offsets(times), strict=True)]

    def _mark(self, seconds: int) -> str:
        if not seconds:
            return self.utc_mark
        return datetime(2000, 1, 1, tzinfo=timezone(timedelta(seconds=seconds))).isoformat()[19:]

    def _offsets(self, times: np.ndarray) -> np.ndarray:
        """[T] int64, seconds that the wall is ahead of UTC."""
        offsets = np.empty(len(times), dtype=np.int64)
        for rows, day in _by_day(times):
            start, end = self._offset(day), self._offset(day + _DAY)
            offsets[rows] = start if start == end else [self._offset(times[row]) for row in rows]
        return offsets

    def _offset(self, time: np.datetime64) -> int:
        instant = time.astype('datetime64[s]').item().replace(tzinfo=UTC)
        return _seconds(instant.astimezone(self.zone).utcoffset())

    def _fold(self, wall: np.datetime64, fold: int) -> int:
        shown = wall.astype('datetime64[s]').item()
        return _seconds(shown.replace(tzinfo=self.zone, fold=fold).utcoffset())


NO_ZONE = Clock()
"""Of times that name no zone."""


def find_zone(name: str) -> tzinfo:
    """The zone of a name as `Europe/Berlin`, or of an offset as `+05:30`.

    Raises:
        DataError: there is none.
    """
    if name[:1] in ('+', '-'):
        try:
            return datetime.fromisoformat(f'2000-01-01T00:00{name}').tzinfo
        except ValueError:
            pass
    elif name in available_timezones():
        return ZoneInfo(name)
    raise DataError(f'timezone={name!r} is not a time zone',
                    hint=did_you_mean(name, available_timezones())
                    or "timezone='Europe/Berlin', 'UTC' or an offset as '+05:30'")


def zones_with_offsets(times: np.ndarray, offsets: np.ndarray) -> list[str]:
    """Names of the zones that have these offsets at these times, best known first.

    Args:
        times: [T] datetime64[s], instants.
        offsets: [T] int64, seconds.
    """
    # The offset changes a few times a year: to look at both sides of a change is enough.
    changes = np.flatnonzero(np.diff(offsets))
    rows = np.unique(np.concatenate([[0], changes, changes + 1, [len(times) - 1]]))
    found = [name for name in _all_zones() if all(
        Clock(ZoneInfo(name))._offset(times[row]) == offsets[row] for row in rows)]
    return sorted(found, key=lambda name: (_KNOWN.index(name) if name in _KNOWN else len(_KNOWN),
                                           '/' not in name, name))


@cache
def _all_zones() -> Sequence[str]:
    return sorted(available_timezones())


def _by_day(times: np.ndarray):
    """Rows of each day, and the day: a zone changes its offset on few days."""
    days, places = np.unique(times.astype('datetime64[D]'), return_inverse=True)
    order = np.argsort(places, kind='stable')
    bounds = np.searchsorted(places[order], np.arange(len(days) + 1))
    for place, day in enumerate(days):
        yield order[bounds[place]:bounds[place + 1]], day


def _seconds(offset: timedelta) -> int:
    return int(offset.total_seconds())
