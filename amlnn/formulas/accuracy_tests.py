"""Whether one forecast errs less than another beyond chance, on the same windows.

Neighbouring windows share most of their targets, so their errors go together; both functions below
reckon with that, as a plain paired test does not.
"""

# N windows in the order of time

from math import erfc, sqrt
from typing import NamedTuple

import numpy as np

__all__ = ['DieboldMariano', 'block_interval', 'diebold_mariano']


class DieboldMariano(NamedTuple):
    """What the test says of a difference of mean losses."""

    difference: float
    """Mean loss of the first less that of the second: below 0 the first errs less."""
    statistic: float
    """About normal where both are equally good; NaN where the variance cannot be had."""
    p: float
    """Chance of one as far from 0, on both sides."""


def diebold_mariano(loss_N: np.ndarray, loss0_N: np.ndarray, steps: int) -> DieboldMariano:
    """Test whether two forecasts are equally good.

    The long-run variance of the differences is summed up to lag `steps` - 1 with Bartlett's
    weights, which keep it positive, and corrected for small samples.

    Args:
        loss_N: A loss of each window, of the first forecast.
        loss0_N: Of the second, on the same windows.
        steps: From one window to the first that shares no target with it: the horizon, at stride 1.

    Sources: F. X. Diebold and R. S. Mariano, Comparing predictive accuracy, Journal of Business and
    Economic Statistics 13 (1995) 253-263; W. K. Newey and K. D. West, Econometrica 55 (1987)
    703-708; D. Harvey, S. Leybourne and P. Newbold, International Journal of Forecasting 13 (1997)
    281-291, equation 9.

    >>> worse = np.tile([1.0, 2.0, 3.0, 2.0], 25)
    >>> test = diebold_mariano(worse, worse - np.tile([0.2, 0.1], 50), 1)
    >>> round(test.difference, 3), test.p < 0.001
    (0.15, True)
    >>> diebold_mariano(worse, worse, 1).p
    1.0
    """
    differences_N = np.asarray(loss_N, dtype=np.float64) - loss0_N
    count, mean = len(differences_N), float(np.mean(differences_N))
    if not differences_N.any():
        return DieboldMariano(0.0, 0.0, 1.0)
    rest_N = differences_N - mean
    lags = min(steps, count) - 1
    variance = float(rest_N @ rest_N) / count
    for lag in range(1, lags + 1):
        weight = 1 - lag / (lags + 1)
        variance += 2 * weight * float(rest_N[lag:] @ rest_N[:-lag]) / count
    correction = (count + 1 - 2 * steps + steps * (steps - 1) / count) / count
    if variance <= 0 or correction <= 0:
        return DieboldMariano(mean, float('nan'), float('nan'))
    statistic = mean / sqrt(variance / count) * sqrt(correction)
    return DieboldMariano(mean, statistic, erfc(abs(statistic) / sqrt(2)))


def block_interval(loss_N: np.ndarray, loss0_N: np.ndarray, steps: int, draws: int = 2000,
                   seed: int = 0) -> tuple[float, float]:
    """95 % interval of the difference of two mean losses, blocks of windows drawn again.

    Args:
        loss_N: As of `diebold_mariano`.
        loss0_N: Likewise.
        steps: Likewise; a block is twice as long, or all windows where there are fewer.
        draws: Bootstrap samples.
        seed: Of the bootstrap; the interval is the same at every call.

    Source: H. R. Kuensch, The jackknife and the bootstrap for general stationary observations,
    Annals of Statistics 17 (1989) 1217-1241; in a circle, so that every window counts as often
    (Politis and Romano 1992); percentile interval, 2.5 % to 97.5 %.

    >>> low, high = block_interval(np.arange(100.0) % 7, np.arange(100.0) % 7 + 1, 2)
    >>> round(low, 6), round(high, 6)
    (-1.0, -1.0)
    """
    differences_N = np.asarray(loss_N, dtype=np.float64) - loss0_N
    count = len(differences_N)
    length = min(2 * steps, count)
    # A sum over a block from every start, in a circle.
    round_N = np.concatenate([[0.0], np.cumsum(np.concatenate([differences_N,
                                                              differences_N[:length]]))])
    sums_N = round_N[length:length + count] - round_N[:count]
    blocks = max(1, round(count / length))
    starts = np.random.default_rng(seed).integers(0, count, (draws, blocks))
    means = sums_N[starts].sum(axis=1) / (blocks * length)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
