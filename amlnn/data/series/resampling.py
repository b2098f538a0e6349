"""Rows that come at uneven times, brought to one step.

T rows, R rows after it.
"""

from dataclasses import replace

import numpy as np

from amlnn.data.series.series import Series
from amlnn.data.series.time_grid import TimeGrid, infer_grid
from amlnn.errors import DataError

__all__ = ['WAYS', 'check_way', 'is_about', 'resample']

WAYS = ('mean', 'sum', 'last')
"""What becomes of several rows in one step."""
_STEPS = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 21600,
          28800, 43200, 86400)
"""Seconds that divide a day, of which people make steps."""


def check_way(way: str | None) -> None:
    """Refuse a value of `resample` that means nothing."""
    if way not in (None, *WAYS):
        raise DataError(f'resample={way!r}', hint=f'resample is {", ".join(map(repr, WAYS))}, or '
                        'None to refuse rows at uneven times')


def resample(series: Series, way: str, grid: TimeGrid | None = None) -> Series:
    """The same series with one row a step; as it is, where its rows lie on a grid already.

    Rows that are about a step apart go to the nearest step. Where a step holds many rows, they go
    to the step that has begun: an hour's mean bears the time at which the hour begins.

    Args:
        series: One, or a panel; its rows rise in time, and may share one.
        way: See WAYS; of a number that is missing, what is left counts.
        grid: Of what step; None for the usual distance of the rows, as people would call it.

    Raises:
        DataError: the step is not one of seconds, minutes, hours or a day.
    """
    if series.times is None or len(series.times) < 2 or _lies_on(series, grid):
        return series
    usual = _usual(series)
    grid = grid or _nearest(usual)
    step = grid.seconds
    if step is None or step > 86400:
        raise DataError(f'`{series.path}`: rows at uneven times cannot be brought to {grid.name}',
                        hint='a step of seconds, minutes, hours or one day is possible: step='
                        "'1 hour' of the source, say")
    wall = series.clock.wall(series.times)
    # By the wall's clock for days, by instants for less: an hour is an hour on every day.
    counted = wall if step == 86400 else series.times
    seconds = counted.astype('datetime64[s]').astype(np.int64)
    slots = seconds // step if step >= 2 * usual else (seconds + step // 2) // step
    codes = series.series_of_rows
    first = np.flatnonzero(np.concatenate([[True], (np.diff(slots) != 0) | (np.diff(codes) != 0)]))
    times = (slots[first] * step).astype('datetime64[s]')
    if step == 86400:
        times = series.clock.times(times)
    values = _gathered(series.values, first, way)
    aside = {name: _gathered(each[:, None], first, way)[:, 0]
             for name, each in series.aside.items()}
    counts = np.bincount(codes[first], minlength=len(series.bounds) - 1)
    how = f'the {way} of those that share a step' if len(first) < len(codes) else 'none shares one'
    same = np.flatnonzero((np.diff(series.times).astype(int) == 0) & (np.diff(codes) == 0)) + 1
    if len(same):
        row = int(same[0])
        how += f' ({len(same):,} of them have the very time of another, as ' \
               f'`{series.shown(row)}`{series.name_of(row)})'
    note = f'{len(codes):,} rows at uneven times were brought to {grid.name}: {len(first):,} ' \
           f'rows, {how}; resample and step of the source say otherwise'
    return replace(
        series, values=values, observed=~np.isnan(values), times=times, truth=None, aside=aside,
        lines=None if series.lines is None else series.lines[first], notes=[*series.notes, note],
        bounds=np.concatenate([[0], np.cumsum(counts)]))


def is_about(series: Series, grid: TimeGrid) -> bool:
    """Whether rows at uneven times are about as far apart as those of a grid.

    Args:
        series: One, or a panel.
        grid: What its rows may be brought to.
    """
    if series.times is None or len(series.times) < 2 or grid.seconds is None:
        return True
    return 0.5 < _usual(series) / grid.seconds < 2


def _usual(series: Series) -> float:
    """Seconds from row to row, of most."""
    apart = series.seconds_apart()
    return float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0


def _lies_on(series: Series, grid: TimeGrid | None) -> bool:
    """Whether the rows of every series follow each other on a grid, gaps or not."""
    for place in range(max(len(series.ids), 1)):
        times = series.times[slice(*series.bounds[place:place + 2])]
        if len(times) < 2:
            continue
        if (np.diff(times) <= np.timedelta64(0, 's')).any():
            return False
        grid = grid or infer_grid(times, series.clock)
        positions = grid.positions(times, series.clock)
        if (positions < 0).any() or (np.diff(positions) < 1).any():
            return False
    return True


def _nearest(seconds: float) -> TimeGrid:
    """The step in which people would say this distance."""
    step = min(_STEPS, key=lambda each: abs(np.log(each / seconds)))
    return TimeGrid.parse(f'{step} seconds')


def _gathered(values: np.ndarray, first: np.ndarray, way: str) -> np.ndarray:
    """[R, C]: one row of those from each first one to the next; NaN where none has a number."""
    known = ~np.isnan(values)
    counts = np.add.reduceat(known, first, axis=0, dtype=np.int64)
    if way == 'last':
        rows = np.where(known, np.arange(len(values))[:, None], -1)
        last = np.maximum.reduceat(rows, first, axis=0)
        found = np.take_along_axis(values, last.clip(min=0), axis=0)
    else:
        found = np.add.reduceat(np.where(known, values, 0.0), first, axis=0)
        if way == 'mean':
            found = found / counts.clip(min=1)
    return np.where(counts > 0, found, np.nan)
