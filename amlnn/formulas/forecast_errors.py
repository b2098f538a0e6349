"""Errors of forecasts as plain functions of arrays.

Axes: N windows, P steps ahead, C columns, Q quantile levels, T training rows. Every function takes
`observed` [N, P, C] bool: targets that are False do not count, whatever number stands there. A mean
over nothing is NaN. Units are those of the arrays, unless said otherwise.
"""

import math
from collections.abc import Sequence

import numpy as np

from amlnn.errors import DataError

__all__ = ['coverage', 'crps_from_quantiles', 'error_by_step', 'gaussian_crps', 'interval_width',
           'mae', 'mase', 'mse', 'pinball', 'seasonal_naive_error', 'smape']


def mse(target: np.ndarray, forecast: np.ndarray, observed: np.ndarray | None = None) -> float:
    """Mean squared error.

    Args:
        target: [N, P, C].
        forecast: [N, P, C].
        observed: [N, P, C] bool.

    >>> mse(np.array([[[1.0], [2.0]]]), np.array([[[3.0], [2.0]]]))
    2.0
    """
    return float(_mean(np.square(forecast - target), observed))


def mae(target: np.ndarray, forecast: np.ndarray, observed: np.ndarray | None = None) -> float:
    """Mean absolute error.

    Args:
        target: [N, P, C].
        forecast: [N, P, C].
        observed: [N, P, C] bool.

    >>> mae(np.array([[[1.0], [2.0]]]), np.array([[[3.0], [2.0]]]))
    1.0
    """
    return float(_mean(np.abs(forecast - target), observed))


def seasonal_naive_error(train: np.ndarray, season: int = 1) -> np.ndarray:
    """Mean absolute error, within the training rows, of repeating the value a season before.

    Args:
        train: [T, C], NaN where missing.
        season: Rows; 1 repeats the last value.

    Returns:
        [C]: what `mase` divides by.

    Raises:
        DataError: a column has no two observed rows a season apart.

    >>> seasonal_naive_error(np.array([[1.0], [5.0], [2.0], [9.0]]), season=2).tolist()
    [2.5]
    """
    change = np.abs(train[season:] - train[:-season])
    known = ~np.isnan(change)
    if not known.any(axis=0).all():
        place = int(known.any(axis=0).argmin())
        raise DataError(f'column {place} has no two values {season} rows apart in {len(train)} '
                        'training rows', hint='a shorter season, or more training rows')
    return np.where(known, change, 0).sum(axis=0) / known.sum(axis=0)


def mase(target: np.ndarray, forecast: np.ndarray, naive_error: np.ndarray,
         observed: np.ndarray | None = None) -> float:
    """Mean absolute scaled error: each column's mean absolute error by its naive error, averaged.

    Below 1 the forecast errs less than the seasonal naive one does in the training rows, which
    looks one season ahead.

    Args:
        target: [N, P, C].
        forecast: [N, P, C].
        naive_error: [C], as `seasonal_naive_error` gives it, in the same units.
        observed: [N, P, C] bool.

    Raises:
        DataError: a naive error is 0.

    Source: R. J. Hyndman and A. B. Koehler, Another look at measures of forecast accuracy,
    International Journal of Forecasting 22 (2006) 679-688, section 2.5.

    >>> mase(np.array([[[1.0], [2.0]]]), np.array([[[3.0], [2.0]]]), np.array([2.5]))
    0.4
    """
    naive_error = np.asarray(naive_error, dtype=np.float64)
    if not (naive_error > 0).all():
        raise DataError(f'column {int((naive_error > 0).argmin())} repeats itself season for season'
                        ' in the training rows: its naive error is 0',
                        hint='leave the column out, choose another season, or leave MASE out')
    by_column = _mean(np.abs(forecast - target), observed, axis=(0, 1))
    return float(_mean(by_column / naive_error, ~np.isnan(by_column)))


def smape(target: np.ndarray, forecast: np.ndarray, observed: np.ndarray | None = None) -> float:
    """Symmetric mean absolute percentage error, 200 |y - f| / (|y| + |f|): 0 to 200.

    A pair of zeros counts as no error. It means something only in the units of the data: scaled
    values lie around 0.

    Args:
        target: [N, P, C].
        forecast: [N, P, C].
        observed: [N, P, C] bool.

    Source: S. Makridakis and M. Hibon, The M3-Competition, International Journal of Forecasting 16
    (2000) 451-476, appendix A.

    >>> smape(np.array([[[100.0], [0.0]]]), np.array([[[50.0], [0.0]]])) == 100 / 3
    True
    """
    if observed is not None:
        target = np.where(observed, target, 0)
    size = np.abs(target) + np.abs(forecast)
    error = np.divide(200 * np.abs(forecast - target), size, where=size > 0,
                      out=np.zeros(size.shape))
    return float(_mean(error, observed))


def pinball(target: np.ndarray, quantiles: np.ndarray, levels: Sequence[float],
            observed: np.ndarray | None = None) -> float:
    """Mean pinball loss over all levels: q (y - f) above the forecast, (1 - q) (f - y) below.

    Args:
        target: [N, P, C].
        quantiles: [N, P, C, Q].
        levels: The Q levels, 0 to 1.
        observed: [N, P, C] bool.

    Source: R. Koenker and G. Bassett, Regression quantiles, Econometrica 46 (1978) 33-50.

    >>> round(pinball(np.array([[[10.0]]]), np.array([[[[8.0, 11.0]]]]), [0.1, 0.9]), 12)
    0.15
    """
    losses = []
    for place, level in enumerate(levels):  # level by level: Q arrays at once may not fit
        error = target - quantiles[..., place]
        losses.append(_mean(np.maximum(level * error, (level - 1) * error), observed))
    return float(np.mean(losses))


def crps_from_quantiles(target: np.ndarray, quantiles: np.ndarray, levels: Sequence[float],
                        observed: np.ndarray | None = None) -> float:
    """Continuous ranked probability score of quantile forecasts: twice the mean pinball loss.

    The score is twice the integral of the pinball loss over all levels. The mean over Q levels
    approaches it where they are spread evenly, as 0.1, 0.2, ..., 0.9.

    Args:
        target: [N, P, C].
        quantiles: [N, P, C, Q].
        levels: The Q levels, 0 to 1.
        observed: [N, P, C] bool.

    Source: F. Laio and S. Tamea, Verification tools for probabilistic forecasts of continuous
    hydrological variables, Hydrology and Earth System Sciences 11 (2007) 1267-1277.

    >>> crps_from_quantiles(np.array([[[10.0]]]), np.array([[[[8.0]]]]), [0.5])
    2.0
    """
    return 2 * pinball(target, quantiles, levels, observed)


def gaussian_crps(target: np.ndarray, mean: np.ndarray, deviation: np.ndarray,
                  observed: np.ndarray | None = None) -> float:
    """Continuous ranked probability score of normal forecasts, in closed form.

    Args:
        target: [N, P, C].
        mean: [N, P, C].
        deviation: [N, P, C], above 0.
        observed: [N, P, C] bool.

    Source: T. Gneiting, A. E. Raftery, A. H. Westveld and T. Goldman, Calibrated probabilistic
    forecasting using ensemble model output statistics and minimum CRPS estimation, Monthly Weather
    Review 133 (2005) 1098-1118, equation 5: s (z (2 F(z) - 1) + 2 f(z) - 1 / sqrt(pi)), z = (y -
    m) / s.

    >>> round(gaussian_crps(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), np.ones((1, 1, 1))), 6)
    0.233695
    """
    from scipy.special import erf
    z = (target - mean) / deviation
    density = np.exp(-np.square(z) / 2) / math.sqrt(2 * math.pi)
    score = deviation * (z * erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))
    return float(_mean(score, observed))


def coverage(target: np.ndarray, low: np.ndarray, high: np.ndarray,
             observed: np.ndarray | None = None) -> float:
    """Share of targets inside their interval, its ends included.

    Args:
        target: [N, P, C].
        low: [N, P, C], lower ends.
        high: [N, P, C], upper ends.
        observed: [N, P, C] bool.

    >>> coverage(np.array([[[1.0], [5.0]]]), np.zeros((1, 2, 1)), np.ones((1, 2, 1)))
    0.5
    """
    return float(_mean((low <= target) & (target <= high), observed))


def interval_width(low: np.ndarray, high: np.ndarray, observed: np.ndarray | None = None) -> float:
    """Mean width of intervals.

    Args:
        low: [N, P, C], lower ends.
        high: [N, P, C], upper ends.
        observed: [N, P, C] bool.

    >>> interval_width(np.zeros((1, 2, 1)), np.full((1, 2, 1), 3.0))
    3.0
    """
    return float(_mean(high - low, observed))


def error_by_step(target: np.ndarray, forecast: np.ndarray, observed: np.ndarray | None = None,
                  kind: str = 'mse') -> np.ndarray:
    """Error of each step ahead.

    Args:
        target: [N, P, C].
        forecast: [N, P, C].
        observed: [N, P, C] bool.
        kind: 'mse' or 'mae'.

    Returns:
        [P], over windows and columns.

    Raises:
        ValueError: `kind` is neither.

    >>> error_by_step(np.array([[[1.0], [2.0]]]), np.array([[[3.0], [2.0]]])).tolist()
    [4.0, 0.0]
    """
    if kind not in ('mse', 'mae'):
        raise ValueError(f"kind={kind!r} is neither 'mse' nor 'mae'")
    error = forecast - target
    return _mean(np.square(error) if kind == 'mse' else np.abs(error), observed, axis=(0, 2))


def _mean(values: np.ndarray, observed: np.ndarray | None,
          axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Mean of what is observed, in float64; NaN where nothing is."""
    if observed is None:
        observed = np.ones(values.shape, dtype=bool)
    count = observed.sum(axis=axis)
    total = np.where(observed, values, 0).sum(axis=axis, dtype=np.float64)
    return np.divide(total, count, where=count > 0, out=np.full(np.shape(count), np.nan))
