"""Errors of point forecasts.

Axes: N windows, P steps ahead, C columns, T training rows. `observed` [N, P, C] is bool: targets
that are False do not count, whatever number stands there. A mean over nothing is NaN. Units are
those of the arrays, unless said otherwise.

What takes `xp` works on tensors too: it is the module of the arrays, numpy or torch, whose
functions of these names do the same. So a metric sums up on the device that holds the forecasts.
"""

from types import ModuleType

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.arrays import Array

__all__ = ['error_by_step', 'error_by_window', 'error_sums', 'mean_errors', 'mse', 'observed_mean',
           'relative_errors', 'scaled_error', 'seasonal_naive_error', 'symmetric_error']


def mse(target: np.ndarray, forecast: np.ndarray, observed: np.ndarray | None = None) -> float:
    """Mean squared error.

    Args:
        target: [N, P, C].
        forecast: [N, P, C].
        observed: [N, P, C] bool.

    >>> mse(np.array([[[1.0], [2.0]]]), np.array([[[3.0], [2.0]]]))
    2.0
    """
    return float(observed_mean(np.square(forecast - target), observed))


def error_by_step(target: np.ndarray, forecast: np.ndarray,
                  observed: np.ndarray | None = None) -> np.ndarray:
    """[P] mean squared error of each step ahead, over windows and columns.

    Args:
        target: [N, P, C].
        forecast: [N, P, C].
        observed: [N, P, C] bool.

    >>> error_by_step(np.array([[[1.0], [2.0]]]), np.array([[[3.0], [2.0]]])).tolist()
    [4.0, 0.0]
    """
    return observed_mean(np.square(forecast - target), observed, axis=(0, 2))


def error_by_window(target: np.ndarray, forecast: np.ndarray,
                    observed: np.ndarray | None = None) -> np.ndarray:
    """[N] mean squared error of each window, over steps and columns.

    Args:
        target: [N, P, C].
        forecast: [N, P, C].
        observed: [N, P, C] bool.

    >>> error_by_window(np.array([[[1.0], [2.0]]]), np.array([[[3.0], [2.0]]])).tolist()
    [2.0]
    """
    return observed_mean(np.square(forecast - target), observed, axis=(1, 2))


def error_sums(error: Array, observed: Array | None = None, axis: int | tuple[int, ...] = (0, 1),
               xp: ModuleType = np) -> tuple[Array, Array]:
    """Squared and absolute errors, summed up; what is not observed adds nothing.

    Args:
        error: [N, P, C] array or tensor.
        observed: [N, P, C] bool.
        axis: What is summed over: (0, 1) leaves [C], 0 leaves [P, C].
        xp: The module of `error`.

    >>> [each.tolist() for each in error_sums(np.array([[[1.0], [-2.0]], [[0.0], [3.0]]]))]
    [[14.0], [6.0]]
    """
    if observed is not None:
        error = xp.where(observed, error, 0.0)
    return xp.square(error).sum(axis), xp.abs(error).sum(axis)


def mean_errors(squared_C: Array, absolute_C: Array, count_C: Array,
                deviation_C: Array) -> dict[str, float]:
    """Mean errors over all columns, 0 where there is no value at all.

    Args:
        squared_C: Array or tensor [C]: squared errors summed up, in scaled units.
        absolute_C: [C], absolute ones.
        count_C: [C], how many were summed up.
        deviation_C: [C]: an error in the units of the data is that in scaled units times this.

    Returns:
        'mse' and 'mae' in scaled units, both with '_original' in those of the data.

    >>> mean_errors(*map(np.array, ([8.0, 2.0], [4.0, 2.0], [3.0, 2.0], [1.0, 10.0])))
    {'mse': 2.0, 'mae': 1.2, 'mse_original': 41.6, 'mae_original': 4.8}
    """
    count = count_C.sum().clip(min=1)
    sums = {'mse': squared_C, 'mae': absolute_C, 'mse_original': squared_C * deviation_C ** 2,
            'mae_original': absolute_C * deviation_C}
    return {name: float(each.sum() / count) for name, each in sums.items()}


def scaled_error(absolute_C: Array, count_C: Array, naive_error_C: Array) -> float:
    """Mean absolute scaled error: each column's mean absolute error by its naive error, averaged.

    Below 1 the forecast errs less than the seasonal naive one does in the training rows, which
    looks one season ahead.

    Args:
        absolute_C: Array or tensor [C]: absolute errors summed up.
        count_C: [C], how many were summed up.
        naive_error_C: [C], as `seasonal_naive_error` gives it, in the same units.

    Source: R. J. Hyndman and A. B. Koehler, Another look at measures of forecast accuracy,
    International Journal of Forecasting 22 (2006) 679-688, section 2.5.

    >>> scaled_error(np.array([2.0]), np.array([2.0]), np.array([2.5]))
    0.4
    """
    return float((absolute_C / count_C.clip(min=1) / naive_error_C).mean())


def relative_errors(absolute: Array, target: Array, forecast: Array,
                    xp: ModuleType = np) -> Array:
    """Absolute errors by the sum of what was forecast and what came true: 0 to 1.

    A pair of zeros counts as no error. It means something only in the units of the data: scaled
    values lie around 0.

    Args:
        absolute: Array or tensor: |y - f|; 0 where the target is missing.
        target: y, of the same shape.
        forecast: f, of the same shape.
        xp: Their module.

    >>> relative_errors(np.array([50.0, 0.0]), np.array([100.0, 0.0]), np.array([150.0, 0.0]))
    array([0.2, 0. ])
    """
    size = xp.abs(forecast) + xp.abs(target)
    errors: Array = xp.where(size > 0, absolute / xp.where(size > 0, size, 1.0), 0.0)
    return errors


def symmetric_error(relative_C: Array, count_C: Array) -> float:
    """Symmetric mean absolute percentage error, 200 |y - f| / (|y| + |f|): 0 to 200.

    Args:
        relative_C: Array or tensor [C]: what `relative_errors` gives, summed up.
        count_C: [C], how many were summed up.

    Source: S. Makridakis and M. Hibon, The M3-Competition, International Journal of Forecasting 16
    (2000) 451-476, appendix A.

    >>> symmetric_error(np.array([0.2]), np.array([2.0]))
    20.0
    """
    return float(200 * relative_C.sum() / count_C.sum().clip(min=1))


def seasonal_naive_error(train: np.ndarray, season: int = 1) -> np.ndarray:
    """Mean absolute error, within the training rows, of repeating the value a season before.

    Args:
        train: [T, C], NaN where missing.
        season: Rows; 1 repeats the last value.

    Returns:
        [C]: what `scaled_error` divides by.

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
    means: np.ndarray = np.where(known, change, 0).sum(axis=0) / known.sum(axis=0)
    return means


def observed_mean(values: np.ndarray, observed: np.ndarray | None = None,
                  axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Mean of what is observed, summed up in float64; NaN where nothing is.

    Args:
        values: Of any shape.
        observed: Bool of the same shape; None for all.
        axis: What the mean is taken over; None for everything.

    >>> observed_mean(np.array([1.0, 3.0, 9.0]), np.array([True, True, False])).item()
    2.0
    """
    if observed is None:
        observed = np.ones(values.shape, dtype=bool)
    count = observed.sum(axis=axis)
    total = np.where(observed, values, 0).sum(axis=axis, dtype=np.float64)
    mean: np.ndarray = np.divide(total, count, where=count > 0,
                                 out=np.full(np.shape(count), np.nan))
    return mean
