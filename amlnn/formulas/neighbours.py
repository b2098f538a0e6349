"""What the nearest images say.

Axes: N images, C features, K classes, Q queries.
"""

from collections.abc import Sequence

import numpy as np

from amlnn.formulas.standardised import blocks

__all__ = ['nearest_votes']

_PAIRS = 1 << 24
"""Distances at once: 64 MB."""


def nearest_votes(x_NC: np.ndarray, labels: np.ndarray, queries_QC: np.ndarray, classes: int,
                  ks: Sequence[int]) -> np.ndarray:
    """How many of the k nearest training images are of each class, for several k at once.

    Args:
        x_NC: Features of the training images.
        labels: [N] int.
        queries_QC: Features of what is asked.
        classes: K.
        ks: Numbers of neighbours by Euclidean distance, N at most; of as many votes the class of
            the lowest number is `argmax`, as in scikit-learn.

    Returns:
        [len(ks), Q, K] int64.

    >>> x = np.array([[0.], [1.], [5.]])
    >>> nearest_votes(x, np.array([0, 0, 1]), np.array([[4.]]), 2, [1, 3]).tolist()
    [[[0, 1]], [[2, 1]]]
    """
    most = max(ks)
    squares_N = (x_NC ** 2).sum(axis=1)
    votes = np.zeros((len(ks), len(queries_QC), classes), np.int64)
    for rows in blocks(len(queries_QC), max(1, _PAIRS // len(x_NC))):
        near_QN = squares_N - 2 * (queries_QC[rows] @ x_NC.T)
        closest = np.argpartition(near_QN, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(near_QN, closest, 1), axis=1, kind='stable')
        said_Qk = labels[np.take_along_axis(closest, order, 1)]
        count = len(said_Qk)
        cell_Qk = said_Qk + classes * np.arange(count)[:, None]
        for place, k in enumerate(ks):
            votes[place, rows] = np.bincount(
                cell_Qk[:, :k].ravel(), minlength=count * classes).reshape(count, classes)
    return votes
