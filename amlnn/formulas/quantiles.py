"""Forecasts of quantiles and intervals: levels, losses, coverage.

Axes: N windows, P steps ahead, C columns, Q quantile levels. For `observed` and `xp` see
`amlnn.formulas.forecast_errors`.
"""

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from amlnn.formulas.arrays import Array
from amlnn.formulas.forecast_errors import observed_mean

__all__ = ['central_levels', 'central_places', 'coverage', 'inside', 'interval_width',
           'pinball_losses', 'place_of_level', 'quantile_scores', 'scaled_quantile_loss',
           'winkler_scores']

_APART = 1e-6  # levels that differ by less are the same, written otherwise


def central_levels(level: float) -> tuple[float, float]:
    """Levels of the two quantiles that bound the central interval of a level.

    >>> central_levels(0.5)
    (0.25, 0.75)
    """
    return (1 - level) / 2, (1 + level) / 2


def place_of_level(levels: Sequence[float] | None, wanted: float) -> int | None:
    """Where a level stands among those of a forecast; None where it does not.

    >>> place_of_level((0.1, 0.5, 0.9), 0.5), place_of_level((0.1, 0.9), 0.5)
    (1, None)
    """
    return next((place for place, level in enumerate(levels or ())
                 if abs(level - wanted) < _APART), None)


def central_places(levels: Sequence[float] | None, level: float) -> tuple[int, int] | None:
    """Places of the quantiles that bound the central interval of a level; None without them.

    >>> central_places((0.1, 0.5, 0.9), 0.8), central_places((0.1, 0.5, 0.9), 0.95)
    ((0, 2), None)
    """
    low, high = (place_of_level(levels, each) for each in central_levels(level))
    return None if low is None or high is None else (low, high)


def pinball_losses(error: Array, levels: Array, xp: ModuleType = np) -> Array:
    """Pinball loss of each value: q (y - f) above the forecast, (1 - q) (f - y) below.

    Args:
        error: Array or tensor [..., Q]: target less quantile.
        levels: [Q] of the same kind, 0 to 1.
        xp: Their module.

    Source: R. Koenker and G. Bassett, Regression quantiles, Econometrica 46 (1978) 33-50.

    >>> pinball_losses(np.array([2.0, -1.0]), np.array([0.1, 0.9])).round(12).tolist()
    [0.2, 0.1]
    """
    losses: Array = xp.maximum(levels * error, (levels - 1) * error)
    return losses


def quantile_scores(error: Array, levels: Array, xp: ModuleType = np) -> Array:
    """Continuous ranked probability score of quantile forecasts: twice the mean pinball loss.

    The score is twice the integral of the pinball loss over all levels. The mean over Q levels
    approaches it where they are spread evenly, as 0.1, 0.2, ..., 0.9.

    Args:
        error: Array or tensor [..., Q]: target less quantile.
        levels: [Q] of the same kind, 0 to 1.
        xp: Their module.

    Returns:
        [...].

    Source: F. Laio and S. Tamea, Verification tools for probabilistic forecasts of continuous
    hydrological variables, Hydrology and Earth System Sciences 11 (2007) 1267-1277.

    >>> quantile_scores(np.array([2.0, -1.0]), np.array([0.1, 0.9])).round(12).item()
    0.3
    """
    scores: Array = 2 * pinball_losses(error, levels, xp).mean(-1)
    return scores


def scaled_quantile_loss(target: np.ndarray, quantiles: np.ndarray, levels: Sequence[float],
                         naive_error_C: np.ndarray, observed: np.ndarray | None = None) -> float:
    """Twice the mean pinball loss of each column by its naive error, averaged over the columns.

    Args:
        target: [N, P, C].
        quantiles: [N, P, C, Q].
        levels: The Q levels.
        naive_error_C: [C], as `seasonal_naive_error` gives it, in the same units.
        observed: [N, P, C] bool.

    Source: S. Makridakis et al., The M5 uncertainty competition, International Journal of
    Forecasting 38 (2022) 1365-1385, section 2.3 (there without the factor 2, with which the median
    alone has the mean absolute scaled error).

    >>> scaled_quantile_loss(np.array([[[3.0]]]), np.array([[[[1.0]]]]), [0.5], np.array([4.0]))
    0.5
    """
    losses = quantile_scores(target[..., None] - quantiles, np.asarray(levels, dtype=np.float64))
    return float((observed_mean(losses, observed, axis=(0, 1)) / naive_error_C).mean())


def inside(target: Array, low: Array, high: Array) -> Array:
    """Whether each target lies in its interval, the ends included; arrays or tensors.

    >>> inside(np.array([1.0, 2.0]), np.array([0.0, 0.0]), np.array([1.0, 1.0])).tolist()
    [True, False]
    """
    within: Array = (low <= target) & (target <= high)
    return within


def coverage(target: np.ndarray, low: np.ndarray, high: np.ndarray,
             observed: np.ndarray | None = None) -> float:
    """Share of targets inside their interval.

    Args:
        target: [N, P, C].
        low: [N, P, C], lower ends.
        high: [N, P, C], upper ends.
        observed: [N, P, C] bool.

    >>> coverage(np.array([[[1.0], [5.0]]]), np.zeros((1, 2, 1)), np.ones((1, 2, 1)))
    0.5
    """
    return float(observed_mean(inside(target, low, high), observed))


def interval_width(low: np.ndarray, high: np.ndarray, observed: np.ndarray | None = None) -> float:
    """Mean width of intervals.

    Args:
        low: [N, P, C], lower ends.
        high: [N, P, C], upper ends.
        observed: [N, P, C] bool.

    >>> interval_width(np.zeros((1, 2, 1)), np.full((1, 2, 1), 3.0))
    3.0
    """
    return float(observed_mean(high - low, observed))


def winkler_scores(target: np.ndarray, low: np.ndarray, high: np.ndarray,
                   level: float) -> np.ndarray:
    """Interval score of each value: the width, and 2 / (1 - level) times how far it lies outside.

    Least where the ends are the true quantiles: neither wide intervals that miss nothing nor narrow
    ones that miss much come out well.

    Args:
        target: Of any shape.
        low: Of that shape, lower ends.
        high: Of that shape, upper ends.
        level: The chance with which the interval is to hold the truth.

    Source: R. L. Winkler, A decision-theoretic approach to interval estimation, Journal of the
    American Statistical Association 67 (1972) 187-191; T. Gneiting and A. E. Raftery, Strictly
    proper scoring rules, prediction, and estimation, ibid. 102 (2007) 359-378, equation 43.

    >>> low, high = np.zeros(3), np.full(3, 4.0)
    >>> winkler_scores(np.array([1.0, -0.5, 4.2]), low, high, 0.8).round(12).tolist()
    [4.0, 9.0, 6.0]
    """
    outside = np.maximum(low - target, 0) + np.maximum(target - high, 0)
    scores: np.ndarray = high - low + 2 / (1 - level) * outside
    return scores
