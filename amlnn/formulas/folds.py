"""Images dealt into folds, each of which is judged by what the others chose."""

import numpy as np

__all__ = ['grouped_folds', 'stratified_folds']


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
    generator = np.random.default_rng(seed)
    dealt = np.empty(len(labels), np.int64)
    shuffled = generator.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind='stable')]
    dealt[by_class] = np.arange(len(labels)) % folds
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
