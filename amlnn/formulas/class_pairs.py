"""Which two classes a classifier tells apart, and which it does not."""

from typing import NamedTuple

import numpy as np

from amlnn.formulas.proportions import wilson

__all__ = ['ClassPair', 'pair_intervals', 'pairwise_recall']

# N images, K classes


class ClassPair(NamedTuple):
    """How well two classes are told apart, where an image is of one of them."""

    one: int
    other: int
    share: float
    """Mean of the shares of both classes' images that are told rightly; 0.5 is chance."""
    low: float
    high: float
    """The limits of the 95 % interval."""


def pairwise_recall(prob_NK: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Of the images of each class, the share that is nearer to it than to another class.

    Probabilities are divided by the shares of the classes first: that a class is common says
    nothing of an image. Where both are equal it counts one half.

    Args:
        prob_NK: [N, K], of images that the classifier did not see.
        labels_N: int [N].

    Returns:
        [K, K], row the class of the images, column the other; NaN of a class without images.

    >>> prob = np.array([[0.8, 0.2, 0], [0.3, 0.7, 0], [0.2, 0.8, 0], [0, 0, 1]], np.float32)
    >>> pairwise_recall(prob, np.array([0, 0, 1, 2])).tolist()
    [[0.5, 0.5, 1.0], [1.0, 0.5, 1.0], [1.0, 1.0, 0.5]]
    """
    classes = prob_NK.shape[1]
    share_K = np.maximum(np.bincount(labels_N, minlength=classes) / len(labels_N), 1e-12)
    found_KK = np.full((classes, classes), np.nan)
    for label in np.unique(labels_N):
        even_BK = prob_NK[labels_N == label] / share_K
        own_B1 = even_BK[:, [label]]
        found_KK[label] = ((own_B1 > even_BK) + 0.5 * (own_B1 == even_BK)).mean(axis=0)
    return found_KK


def pair_intervals(recall_KK: np.ndarray, count_K: np.ndarray, least: int = 5) -> list[ClassPair]:
    """Every pair of classes with at least `least` images each, the worst told apart first.

    Args:
        recall_KK: From `pairwise_recall`.
        count_K: Images of each class.
        least: Fewer say nothing.

    Source: the interval of the mean of two independent shares from Wilson's limits of each, by the
    way of R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10: m - sqrt((p-l)² +
    (q-m)²)/2 to m + sqrt((u-p)² + (v-q)²)/2.

    >>> pair, = pair_intervals(np.array([[0.5, 0.6], [0.4, 0.5]]), np.array([50, 50]))
    >>> [round(value, 3) for value in pair[2:]]
    [0.5, 0.407, 0.593]
    """
    found = []
    for one, other in zip(*np.triu_indices(len(recall_KK), 1), strict=True):
        if min(count_K[one], count_K[other]) < least:
            continue
        first, second = float(recall_KK[one, other]), float(recall_KK[other, one])
        low, high = wilson(first, int(count_K[one]))
        low_0, high_0 = wilson(second, int(count_K[other]))
        middle = (first + second) / 2
        found.append(ClassPair(int(one), int(other), middle,
                               middle - float(np.hypot(first - low, second - low_0)) / 2,
                               middle + float(np.hypot(high - first, high_0 - second)) / 2))
    return sorted(found, key=lambda pair: (pair.share, pair.one, pair.other))
