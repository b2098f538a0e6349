"""Intervals from the errors on the validation part: split-conformal prediction.

Whatever a model forecasts, an interval as wide as the right rank of its absolute errors on windows
that it was not trained on holds a new value with the chance asked for, if those windows and the new
one are exchangeable. Neighbouring windows of a series overlap and series drift, so on real data the
promise holds only roughly: tables show the coverage measured on the test part beside it.
"""

# S series, N windows, P future steps, C target columns, Q quantile levels

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.quantiles import central_places

__all__ = ['INTERVAL_LEVELS', 'LEAST_WINDOWS', 'Conformal', 'conformal_rank', 'fit_conformal',
           'fit_intervals', 'margins_by_series']

INTERVAL_LEVELS = (0.8, 0.95)
"""Share of values that each interval of a forecast claims to hold."""
LEAST_WINDOWS = 40
"""Validation windows of a series whose intervals are its own: fewer say little of 95 %."""


class Conformal(NamedTuple):
    """Half widths of intervals, or what quantile forecasts are widened by."""

    margin: np.ndarray
    """[P, C] float64, in the units of the forecasts; negative where quantiles were too wide."""
    level: float
    """The chance with which an interval is to hold the truth."""
    ends: Sequence[int] | None = None
    """Places of the two quantiles that are widened; None for intervals around point forecasts."""

    def bounds(self, point: np.ndarray, quantiles: np.ndarray | None = None
               ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds [N, P, C] of forecasts.

        Args:
            point: [N, P, C].
            quantiles: [N, P, C, Q], where `ends` names two of them.

        Raises:
            ValueError: `ends` names two of them, and none were given.

        >>> low, high = Conformal(np.array([[0.5]]), 0.8).bounds(np.array([[[3.0]]]))
        >>> low.item(), high.item()
        (2.5, 3.5)
        """
        if self.ends is None:
            return self.around(point)
        if quantiles is None:
            raise ValueError('`ends` names two `quantiles`, and there are none')
        return self.widen(*(quantiles[..., place] for place in self.ends))

    def around(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds around point forecasts [N, P, C]."""
        return point - self.margin, point + self.margin

    def widen(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds from lower and upper quantiles, each [N, P, C].

        Where a negative margin would make them cross, both are their middle.
        """
        middle = (low + high) / 2
        return np.minimum(low - self.margin, middle), np.maximum(high + self.margin, middle)


def conformal_rank(count: int, level: float) -> int:
    """The rank, from 1, of the score that holds a new score with chance `level`.

    ceil((count + 1) level), Vovk et al. 2005; Lei et al. 2018, algorithm 2.

    Raises:
        DataError: there are too few scores for that level.

    >>> conformal_rank(99, 0.9)
    90
    >>> conformal_rank(9, 0.9)
    9
    """
    # Rounded first: 10 * 0.7 is a little above 7.
    rank = ceil(round((count + 1) * level, 9))
    if rank > count:
        needed = ceil(round(level / (1 - level), 9))
        raise DataError(
            f'an interval of level {level} cannot be had from {count} validation values',
            hint=f'it takes at least {needed}; or ask for a lower level')
    return max(rank, 1)


def fit_conformal(target: np.ndarray, point: np.ndarray | None = None,
                  low: np.ndarray | None = None, high: np.ndarray | None = None,
                  level: float = 0.9, observed: np.ndarray | None = None) -> Conformal:
    """Take the margins of each step and column from the validation part.

    Give `point` for intervals of one width around point forecasts, or `low` and `high` for
    conformalised quantiles (Romano et al. 2019, arXiv:1905.03222), which keep the widths that the
    model itself saw fit.

    Args:
        target: What came true, [N, P, C].
        point: Point forecasts, [N, P, C].
        low: Forecasts of the lower quantile, [N, P, C].
        high: Forecasts of the upper quantile, [N, P, C].
        level: The chance with which an interval is to hold the truth, in (0, 1).
        observed: False where the truth is missing, [N, P, C].

    Raises:
        DataError: a step and column has too few values for that level.
        ValueError: neither a point nor both quantiles were given, or all of them, or the level is
            not in (0, 1).

    >>> target = np.arange(1.0, 10.0).reshape(9, 1, 1)
    >>> fit_conformal(target, point=np.zeros((9, 1, 1)), level=0.8).margin
    array([[8.]])
    """
    if (point is None) == (low is None) or (low is None) != (high is None):
        raise ValueError('give `point`, or `low` and `high`')
    if not 0 < level < 1:
        raise ValueError(f'`level` {level} is not between 0 and 1')
    score = np.abs(target - point) if point is not None else np.maximum(low - target, target - high)
    score = np.asarray(score, dtype=np.float64)
    if observed is None:
        rank = conformal_rank(len(score), level)
        return Conformal(np.partition(score, rank - 1, axis=0)[rank - 1], level)
    # Missing ones are sorted to the end, where no rank reaches.
    ordered = np.sort(np.where(observed, score, np.inf), axis=0)
    counts, at = np.unique(observed.sum(axis=0), return_inverse=True)
    ranks = np.array([conformal_rank(int(count), level) for count in counts])[at]
    ranks = ranks.reshape(1, *ordered.shape[1:])
    return Conformal(np.take_along_axis(ordered, ranks - 1, axis=0)[0], level)


def fit_intervals(target: np.ndarray, point: np.ndarray, quantiles: np.ndarray | None = None,
                  levels: Sequence[float] | None = None, observed: np.ndarray | None = None,
                  wanted: Sequence[float] = INTERVAL_LEVELS) -> list[Conformal]:
    """Intervals from the validation part, as far as it has windows enough.

    Where two quantiles bound a level's central interval, they are widened; else the interval is put
    around the point forecasts.

    Args:
        target: What came true, [N, P, C].
        point: Point forecasts, [N, P, C].
        quantiles: [N, P, C, Q], of a head that gives them.
        levels: The Q levels.
        observed: False where the truth is missing, [N, P, C].
        wanted: The chances with which intervals are to hold the truth.

    >>> target = np.arange(1.0, 10.0).reshape(9, 1, 1)  # too few for 95 %
    >>> [(each.level, each.margin.item()) for each in fit_intervals(target, np.zeros((9, 1, 1)))]
    [(0.8, 8.0)]
    """
    found = []
    for level in wanted:
        ends = None if quantiles is None else central_places(levels, level)
        given = dict(point=point) if ends is None or quantiles is None else dict(
            low=quantiles[..., ends[0]], high=quantiles[..., ends[1]])
        try:
            fitted = fit_conformal(target, **given, level=level, observed=observed)
        except DataError:
            continue
        found.append(fitted._replace(ends=ends))
    return found


def margins_by_series(pooled: Sequence[Conformal], series: np.ndarray, count: int,
                      target: np.ndarray, point: np.ndarray, quantiles: np.ndarray | None = None,
                      levels: Sequence[float] | None = None, observed: np.ndarray | None = None
                      ) -> list[np.ndarray]:
    """Margins of each series of a panel: its own where it has windows enough, else those of all.

    Args:
        pooled: What `fit_intervals` makes of all windows.
        series: [N] int, the place of each window's series, 0 to S - 1.
        count: S.
        target: As of `fit_intervals`, as are the others.
        point: [N, P, C].
        quantiles: [N, P, C, Q].
        levels: The Q levels.
        observed: [N, P, C].

    Returns:
        [S, P, C] for each of `pooled`.

    >>> target = np.arange(50.0).reshape(50, 1, 1)
    >>> series = np.repeat([0, 1], [40, 10])  # the second has too few
    >>> pooled = fit_intervals(target, np.zeros((50, 1, 1)))
    >>> margins_by_series(pooled, series, 2, target, np.zeros((50, 1, 1)))[0].ravel().tolist()
    [32.0, 40.0]
    """
    found = [np.repeat(each.margin[None], count, axis=0) for each in pooled]
    order = np.argsort(series, kind='stable')
    bounds = np.searchsorted(series[order], np.arange(count + 1))
    for place in np.flatnonzero(np.diff(bounds) >= LEAST_WINDOWS):
        rows = order[bounds[place]:bounds[place + 1]]
        own = fit_intervals(target[rows], point[rows],
                            None if quantiles is None else quantiles[rows], levels,
                            None if observed is None else observed[rows])
        if len(own) < len(pooled):  # too few observed: 95 % of all may be less than 80 % of its own
            continue
        for fit, margins in zip(own, found, strict=True):
            margins[place] = fit.margin
    return found
