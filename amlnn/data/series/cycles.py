"""Where in a cycle rows lie, and which cycle of a series repeats best.

T rows, C columns.
"""

from collections.abc import Sequence

import numpy as np

from amlnn.data.series.clock import Clock
from amlnn.data.series.csv_columns import AUTO
from amlnn.data.series.time_grid import TimeGrid
from amlnn.errors import DataError

__all__ = ['check_cycle', 'conclude_cycle', 'known_cycles', 'positions_of']

_LEAST = 8  # cycles that a series holds at least, where one is looked for
_WEEK = 7 * 86400
_NONE = 'no cycle is learnt: none is known that repeats in the training part'


def check_cycle(cycle: object) -> None:
    """Refuse what is no cycle.

    Raises:
        DataError: it is neither a number of rows from 2, nor 'auto'.
    """
    if cycle != AUTO and (type(cycle) is not int or cycle < 2):
        raise DataError(f'cycle={cycle!r} is not a whole number of rows from 2',
                        hint="model.cycle='auto', or model.cycle=168 for weeks of hours")


def positions_of(rows: np.ndarray, bounds: np.ndarray, times: np.ndarray | None,
                 grid: TimeGrid | None, clock: Clock) -> np.ndarray:
    """[N] int64: where rows lie on the time grid, the same number for the same time in any file.

    Args:
        rows: [N] int64, which rows of all series.
        bounds: [S + 1] int64, where each series begins and ends.
        times: Of all rows; None to count the rows of each series instead.
        grid: What they lie on, likewise.
        clock: Their zone.
    """
    if times is None or grid is None:
        return rows - bounds[np.searchsorted(bounds, rows, side='right') - 1]
    return grid.absolute(times[rows], clock)


def known_cycles(season: int | None, grid: TimeGrid | None) -> list[int]:
    """Rows of the season and of a week, where both are known and one holds the other whole.

    >>> known_cycles(24, TimeGrid.parse('1 hour')), known_cycles(12, TimeGrid.parse('month'))
    ([24, 168], [12])
    """
    found = [season] if season and season > 1 else []
    week = _week(grid) if grid else None
    if week and week > 1 and not found:
        return [week]
    return [*found, week] if found and week and week > season and week % season == 0 else found


def _week(grid: TimeGrid) -> int | None:
    if grid.unit == 'daytime':
        return grid.per_day * grid.days.count('1')
    if grid.unit not in ('second', 'day') or _WEEK % grid.seconds:
        return None
    return _WEEK // grid.seconds


def conclude_cycle(values_TC: np.ndarray, position_T: np.ndarray, bounds: np.ndarray,
                   cycles: Sequence[int]) -> tuple[int | None, str]:
    """Which of several cycles repeats best: what its steps are on the whole in one half of the rows
    tells most of the other half.

    The level of each of the longest cycles is taken away first. A cycle that a series does not hold
    eight times is none.

    Args:
        values_TC: Rows of all series, NaN where missing.
        position_T: int64, where each lies on the time grid.
        bounds: [S + 1] int64, where each series begins and ends.
        cycles: Rows of each.

    Returns:
        Rows of that cycle, and a note; None where none says anything, or there is none.

    >>> hours = np.arange(5000)
    >>> week = np.sin(hours * np.pi / 12)[:, None] * (1 + (hours // 24 % 7 > 4))[:, None]
    >>> conclude_cycle(week, hours, np.array([0, 5000]), [24, 168])
    (168, 'a cycle of 168 rows is learnt')
    """
    cycles = [cycle for cycle in sorted(cycles)
              if len(np.unique(position_T // cycle)) > _LEAST]
    if not cycles:
        return None, _NONE
    longest_T = position_T // cycles[-1]
    longest_T = longest_T - longest_T.min()
    series_T = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    group_T = np.unique(series_T * (longest_T.max() + 1) + longest_T, return_inverse=True)[1]
    rest_TC = values_TC - _means(values_TC, group_T, int(group_T.max()) + 1)[group_T]
    late_T = longest_T > np.median(longest_T)
    best, least = None, np.nansum(rest_TC ** 2)
    for cycle in cycles:
        error = _error(rest_TC, position_T % cycle, late_T, cycle)
        if error < least:
            best, least = cycle, error
    return best, f'a cycle of {best} rows is learnt' if best else _NONE


def _error(rest_TC: np.ndarray, phase_T: np.ndarray, late_T: np.ndarray, cycle: int) -> float:
    """Squared error of the means of one half of the rows in the other."""
    total = 0.0
    for seen_T in (late_T, ~late_T):
        means = _means(rest_TC[seen_T], phase_T[seen_T], cycle)
        total += np.nansum((rest_TC[~seen_T] - means[phase_T[~seen_T]]) ** 2)
    return total


def _means(values_TC: np.ndarray, group_T: np.ndarray, groups: int) -> np.ndarray:
    """[groups, C]: of what was observed; 0 where nothing was."""
    seen_TC = ~np.isnan(values_TC)
    sums, counts = (np.stack([np.bincount(group_T, column, groups) for column in each.T], axis=1)
                    for each in (np.where(seen_TC, values_TC, 0.0), seen_TC))
    return sums / np.maximum(counts, 1)
