"""Features brought to one scale, block by block: of 100,000 rows no second copy is ever held."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ['BLOCK', 'Standardised', 'blocks', 'standardise']

# N images, C columns, B images of a block

BLOCK = 4096
"""Rows that are worked on at once: 32 MB of 2,048 columns."""


@dataclass(frozen=True)
class Standardised:
    """Features [N, C] and what brings each column to mean 0 and deviation 1."""

    features: np.ndarray
    mean: np.ndarray
    """[C]"""
    scale: np.ndarray
    """[C], 1 / deviation; 0 of a column that is the same everywhere."""

    def __len__(self) -> int:
        return len(self.features)

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.features.shape[1])

    def rows(self, places: slice | np.ndarray) -> np.ndarray:
        """Standardised rows, float32 [B, C]."""
        rows_BC: np.ndarray = np.asarray(self.features[places], np.float32) - self.mean
        rows_BC *= self.scale
        return rows_BC

    def unit_rows(self, places: slice | np.ndarray) -> np.ndarray:
        """Standardised rows of length 1, float32 [B, C]; a row that is the mean stays 0."""
        rows_BC = self.rows(places)
        length_B1 = np.linalg.norm(rows_BC, axis=1, keepdims=True)
        rows_BC /= np.where(length_B1 > 0, length_B1, 1)
        return rows_BC


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices that cover `count` rows.

    >>> list(blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return (slice(begin, min(begin + size, count)) for begin in range(0, count, size))


def standardise(features_NC: np.ndarray) -> Standardised:
    """Measure mean and deviation of every column, in float64.

    Args:
        features_NC: [N, C], finite; a memory map is read twice, block by block.

    >>> measured = standardise(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32))
    >>> measured.rows(slice(0, 2)).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    count, width = features_NC.shape
    total_C = np.zeros(width)
    for part in blocks(count):
        total_C += features_NC[part].sum(axis=0, dtype=np.float64)
    mean_C = (total_C / count).astype(np.float32)
    squares_C = np.zeros(width)
    for part in blocks(count):
        squares_C += ((np.asarray(features_NC[part], np.float32) - mean_C) ** 2).sum(
            axis=0, dtype=np.float64)
    deviation_C = np.sqrt(squares_C / count)
    # Of a constant column rounding leaves a little, which is no deviation.
    still_C = deviation_C <= 1e-6 * np.maximum(np.abs(mean_C), 1e-30)
    scale_C = np.where(still_C, 0.0, 1 / np.where(still_C, 1, deviation_C))
    return Standardised(features_NC, mean_C, scale_C.astype(np.float32))
