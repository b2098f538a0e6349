"""Images drawn by chance, of every class its share, and dealt into folds, each of which is judged
by what the others chose.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ['few_of_each', 'grouped_folds', 'shuffled_by_class', 'stratified_folds',
           'stratified_sample']


def shuffled_by_class(labels: np.ndarray, seed: int | Sequence[int] = 0) -> np.ndarray:
    """The places of all images, int [N]: class by class, those of a class in a random order.

    Args:
        labels: [N] int.
        seed: Of the shuffling.

    >>> labels = np.array([1, 0, 1, 0])
    >>> labels[shuffled_by_class(labels)].tolist()
    [0, 0, 1, 1]
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    places: np.ndarray = shuffled[np.argsort(labels[shuffled], kind='stable')]
    return places


def stratified_sample(labels: np.ndarray, most: int, seed: int = 0) -> np.ndarray:
    """The places of some images, in order, int: of every class the same share, but for 1.

    Args:
        labels: [N] int.
        most: Images; all of them where there are not so many.
        seed: Of the drawing.

    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[stratified_sample(labels, 3)].tolist(), len(stratified_sample(labels, 9))
    ([0, 0, 1], 6)
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    by_class = shuffled_by_class(labels, seed)
    return np.sort(by_class[np.arange(most) * len(by_class) // most])


def few_of_each(labels: np.ndarray, per_class: int, seed: int | Sequence[int] = 0) -> np.ndarray:
    """The places of so many images of every class, in order, int; of a smaller class of all.

    The images of fewer a class are among those of more, drawn by the same seed.

    Args:
        labels: [N] int.
        per_class: Images of each class.
        seed: Of the drawing.

    >>> labels = np.array([0, 0, 0, 1, 1])
    >>> labels[few_of_each(labels, 2)].tolist(), labels[few_of_each(labels, 3)].tolist()
    ([0, 0, 1, 1], [0, 0, 0, 1, 1])
    """
    by_class, counts = shuffled_by_class(labels, seed), np.bincount(labels)
    place_N = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[place_N < per_class])


def stratified_folds(labels: np.ndarray, folds: int, seed: int = 0) -> np.ndarray:
    """The fold of each image, int [N], 0 to folds - 1.

    The images of a class are shuffled and dealt out one by one, each class going on where the one
    before it stopped: the folds' sizes, and their shares of every class, differ by 1 at most.

    Args:
        labels: [N] int.
        folds: At least 2.
        seed: Of the shuffling.

    >>> found = stratified_folds(np.array([0, 0, 1, 1, 1, 1, 0]), 2)
    >>> np.bincount(found).tolist(), np.bincount(found[2:6]).tolist()
    ([4, 3], [2, 2])
    """
    dealt = np.empty(len(labels), np.int64)
    dealt[shuffled_by_class(labels, seed)] = np.arange(len(labels)) % folds
    return dealt


def grouped_folds(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int = 0) -> np.ndarray:
    """The fold of each image, int [N], images of a group in one.

    Groups are dealt out as `stratified_folds` does images, each by the label of its first.

    Args:
        labels: [N] int.
        groups: [N] int, the same number for images that belong together.
        folds: At least 2.
        seed: Of the shuffling.

    >>> grouped_folds(np.array([0, 0, 1, 1, 0, 1]), np.array([0, 1, 2, 2, 0, 3]), 2).tolist()
    [0, 1, 0, 0, 0, 1]
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    return stratified_folds(labels[first], folds, seed)[group]
