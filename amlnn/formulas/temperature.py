"""One number that makes a classifier as sure as it is right.

Axes: N images, K classes.
"""

import numpy as np

from amlnn.formulas.softmax import softmax

__all__ = ['best_scale', 'fit_temperature', 'with_temperature']

_LEAST = 1e-30  # a probability that was rounded to nothing
_COLDEST, _HOTTEST = 0.02, 50.0


def with_temperature(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at another temperature: softmax(log p / T), [N, K] float64.

    The order of an image's classes stays as it is; above 1 all are more alike, below 1 less.

    Args:
        probs: [N, K], rows that sum to 1.
        temperature: T, more than 0.

    >>> with_temperature(np.array([[0.8, 0.2]]), 2.0).round(4).tolist()
    [[0.6667, 0.3333]]
    """
    return softmax(_scores(probs) / temperature)


def fit_temperature(probs: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which the true classes' mean log probability is the highest.

    Args:
        probs: [N, K], rows that sum to 1.
        labels: [N], the true classes.

    Source: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, On calibration of modern neural
    networks, ICML 2017, section 4.2; between T 0.02 and 50.

    >>> sure = np.array([[0.99, 0.01]] * 4)  # and right in three of four
    >>> temperature = fit_temperature(sure, np.array([0, 0, 0, 1]))
    >>> with_temperature(sure, temperature)[0].round(3).tolist()
    [0.75, 0.25]
    """
    return 1 / best_scale(_scores(probs), labels, 1 / _HOTTEST, 1 / _COLDEST)


def best_scale(scores: np.ndarray, labels: np.ndarray, low: float = 1e-2,
               high: float = 1e4) -> float:
    """The factor of scores whose softmax gives the true classes the highest mean log probability.

    In it the loss is convex; its slope, the mean of what is expected of a score less the true
    class's own, is brought to 0 by bisection.

    Args:
        scores: [N, K].
        labels: [N], the true classes.
        low: The least factor.
        high: The greatest.

    >>> scores = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    >>> round(best_scale(scores, np.array([0, 1, 0, 1])), 4)  # three of four are right: log(3)
    1.0986
    """
    own = scores[np.arange(len(labels)), labels]

    def slope(scale: float) -> float:
        expected = (softmax(scale * scores) * scores).sum(axis=1)
        return float((expected - own).mean())

    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return float((low * high) ** 0.5)


def _scores(probs: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(probs.astype(np.float64), _LEAST)))
