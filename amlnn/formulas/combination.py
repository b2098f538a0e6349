"""Weights of forecasts that are put together."""

from itertools import combinations

import numpy as np

__all__ = ['MOST_MEMBERS', 'blend_weights']

MOST_MEMBERS = 12
"""Forecasts whose every subset is looked at."""


def blend_weights(products_MM: np.ndarray) -> np.ndarray:
    """Weights from 0 on, of sum 1, with which the mean of M forecasts has the least squared error.

    Within a set of forecasts whose weights are all above 0 they are E^-1 1 / (1' E^-1 1); the best
    of all sets is the answer, for the error is convex. Of sets that are equally good the first and
    smallest one is taken, so that a forecast that adds nothing gets no weight.

    Args:
        products_MM: E, sums of products of the forecasts' errors.

    Returns:
        [M] float64.

    Raises:
        ValueError: there are none, or more than MOST_MEMBERS.

    Source: J. M. Bates and C. W. J. Granger, The combination of forecasts, Operational Research
    Quarterly 20 (1969) 451-468.

    >>> blend_weights(np.array([[1.0, 0.0], [0.0, 3.0]])).tolist()
    [0.75, 0.25]
    >>> blend_weights(np.array([[1.0, 2.0], [2.0, 9.0]])).tolist()  # a worse one of the same errors
    [1.0, 0.0]
    """
    count = len(products_MM)
    if not 1 <= count <= MOST_MEMBERS:
        raise ValueError(f'{count} forecasts to put together, not 1 to {MOST_MEMBERS}')
    best_M: np.ndarray = np.eye(count)[0]
    least = np.inf
    for size in range(1, count + 1):
        for places in combinations(range(count), size):
            inner = products_MM[np.ix_(places, places)]
            raw = np.linalg.lstsq(inner, np.ones(size), rcond=None)[0]
            if raw.sum() <= 0 or (raw < 0).any():
                # Forecasts without any error, or a set of which some deserve no weight.
                if inner.any() or size > 1:
                    continue
                raw = np.ones(size)
            weights = raw / raw.sum()
            error = float(weights @ inner @ weights)
            if error < least * (1 - 1e-12):
                best_M, least = np.zeros(count), error
                best_M[list(places)] = weights
    return best_M
