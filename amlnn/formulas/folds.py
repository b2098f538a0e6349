"""Images dealt into folds, each of which is judged by what the others chose."""

import numpy as np

__all__ = ['stratified_folds']


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
