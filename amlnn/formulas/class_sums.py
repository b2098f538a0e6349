"""Sums over images, from which a ridge regression on their classes follows without the images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.formulas.ridge import one_hot

__all__ = ['Centred', 'ClassSums']

# B images of a batch, C features, K classes


@dataclass(frozen=True)
class Centred:
    """The normal equations of centred features X and targets Y, 1 for an image's class, else 0."""

    mean: np.ndarray
    """[C], of the features."""
    share: np.ndarray
    """[K], of the images that are of each class."""
    squares: np.ndarray
    """[C, C], X'X."""
    products: np.ndarray
    """[C, K], X'Y."""

    def offset(self, weights_CK: np.ndarray) -> np.ndarray:
        """The intercept [K] that goes with weights, which is not penalised."""
        offset_K: np.ndarray = self.share - self.mean @ weights_CK
        return offset_K


class ClassSums:
    """Sums of squares and of each class, and counts: [C, C] at most, of any number of images.

    Args:
        width: C.
        classes: K.
        dtype: Of the sum of squares, which is the large one.

    >>> sums = ClassSums(1, 2)
    >>> sums.add(np.array([[0.0], [2.0]]), np.array([0, 1]))
    >>> sums.centred().squares.tolist(), sums.centred().products.tolist()
    ([[2.0]], [[-1.0, 1.0]])
    """

    def __init__(self, width: int, classes: int, dtype: type = np.float64):
        self.squares_CC: np.ndarray = np.zeros((width, width), dtype)
        self.by_class_CK = np.zeros((width, classes))
        self.count_K = np.zeros(classes)

    @property
    def count(self) -> int:
        """Images."""
        return int(self.count_K.sum())

    def add(self, rows_BC: np.ndarray, labels_B: np.ndarray | Sequence[int]) -> None:
        """Take images.

        Args:
            rows_BC: [B, C].
            labels_B: [B] int.
        """
        classes = len(self.count_K)
        self.squares_CC += rows_BC.T @ rows_BC
        self.by_class_CK += rows_BC.T @ one_hot(np.asarray(labels_B), classes, rows_BC.dtype.type)
        self.count_K += np.bincount(labels_B, minlength=classes)

    @classmethod
    def together(cls, parts: Iterable['ClassSums']) -> 'ClassSums':
        """Of the images of several, one at least; in float64."""
        first, *others = parts
        whole = cls(*first.by_class_CK.shape)
        for part in (first, *others):
            whole.squares_CC += part.squares_CC
            whole.by_class_CK += part.by_class_CK
            whole.count_K += part.count_K
        return whole

    def without(self, other: 'ClassSums') -> 'ClassSums':
        """Of the images that are not those of a part."""
        rest = ClassSums(0, 0)
        rest.squares_CC = self.squares_CC - other.squares_CC
        rest.by_class_CK = self.by_class_CK - other.by_class_CK
        rest.count_K = self.count_K - other.count_K
        return rest

    def centred(self) -> Centred:
        """The normal equations."""
        count = max(self.count, 1)
        mean_C = self.by_class_CK.sum(axis=1) / count
        return Centred(mean_C, self.count_K / count,
                       self.squares_CC - count * np.outer(mean_C, mean_C),
                       self.by_class_CK - np.outer(mean_C, self.count_K))
