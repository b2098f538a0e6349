"""What the nearest images say, and which images are nearly the same.

Axes: N images, C features, K classes, Q queries.
"""

from collections.abc import Iterator, Sequence

import numpy as np

__all__ = ['alike_groups', 'nearest_votes', 'unit_rows']

_PAIRS = 1 << 24
"""Distances at once: 64 MB."""


def unit_rows(x_NC: np.ndarray) -> np.ndarray:
    """Rows of length 1, in which the nearest by distance is the nearest by angle; zeros stay.

    >>> unit_rows(np.array([[3., 4.], [0., 0.]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    length_N = np.sqrt((x_NC ** 2).sum(axis=1))
    return x_NC / np.where(length_N > 0, length_N, 1)[:, None]


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
    for rows in _pieces(len(queries_QC), len(x_NC)):
        near_QN = squares_N - 2 * (queries_QC[rows] @ x_NC.T)
        closest = np.argpartition(near_QN, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(near_QN, closest, 1), axis=1, kind='stable')
        said_Qk = labels[np.take_along_axis(closest, order, 1)]
        for place, k in enumerate(ks):
            for label in range(classes):
                votes[place, rows, label] = (said_Qk[:, :k] == label).sum(axis=1)
    return votes


def alike_groups(x_NC: np.ndarray, least: float = 0.95, leading: int = 256) -> np.ndarray:
    """A number for each image, the same for those whose features point the same way.

    Images that are both like a third are in one group.

    Args:
        x_NC: Features, the directions in which they differ most first.
        least: Cosine of the angle from which on two are alike.
        leading: Features that are compared at first; the others only of pairs that may still be
            alike, since |u·v| is at most the product of the lengths (Cauchy and Schwarz).

    Returns:
        Int64 [N]: of each group the least index of a member.

    >>> alike_groups(np.array([[1., 0.], [0., 1.], [2., 0.1]])).tolist()
    [0, 1, 0]
    """
    unit_NC = unit_rows(x_NC)
    first_NC, rest_NC = unit_NC[:, :leading], unit_NC[:, leading:]
    left_N = np.sqrt((rest_NC ** 2).sum(axis=1))
    label_N = np.arange(len(x_NC))
    for rows in _pieces(len(x_NC), len(x_NC)):
        most = first_NC[rows] @ first_NC[rows.start:].T + np.outer(left_N[rows],
                                                                   left_N[rows.start:])
        ones, others = np.nonzero(np.triu(most >= least, 1))
        for part in _pieces(len(ones), 16 * unit_NC.shape[1]):
            one, other = rows.start + ones[part], rows.start + others[part]
            alike = np.einsum('pc,pc->p', unit_NC[one], unit_NC[other]) >= least
            for first, second in zip(one[alike], other[alike], strict=True):
                label_N[label_N == label_N[second]] = label_N[first]
    return _least_members(label_N)


def _least_members(label_N: np.ndarray) -> np.ndarray:
    _, first, inverse = np.unique(label_N, return_index=True, return_inverse=True)
    return first[inverse]


def _pieces(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _PAIRS // max(columns, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
