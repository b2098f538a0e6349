"""Features brought to one scale, block by block: of 100,000 rows no second copy need be held."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ['BLOCK', 'Standardised', 'blocks', 'standardise', 'unit_rows']

# N images, C columns, B images of a block, M other images

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

    def of(self, others_MC: np.ndarray) -> np.ndarray:
        """Any features on that scale, [M, C] in the dtype of `mean`."""
        rows_MC: np.ndarray = np.asarray(others_MC, self.mean.dtype) - self.mean
        rows_MC *= self.scale
        return rows_MC

    def rows(self, places: slice | np.ndarray) -> np.ndarray:
        """Standardised rows, [B, C]."""
        return self.of(self.features[places])

    def unit_rows(self, places: slice | np.ndarray) -> np.ndarray:
        """Standardised rows of length 1, [B, C]; a row that is the mean stays 0."""
        return unit_rows(self.rows(places))


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices that cover `count` rows.

    >>> list(blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return (slice(begin, min(begin + size, count)) for begin in range(0, count, size))


def unit_rows(x_NC: np.ndarray) -> np.ndarray:
    """Rows of length 1, in which the nearest by distance is the nearest by angle; zeros stay.

    >>> unit_rows(np.array([[3., 4.], [0., 0.]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    length_N1 = np.linalg.norm(x_NC, axis=1, keepdims=True)
    units_NC: np.ndarray = x_NC / np.where(length_N1 > 0, length_N1, 1)
    return units_NC


def standardise(features_NC: np.ndarray) -> Standardised:
    """Measure mean and deviation of every column, in float64.

    Args:
        features_NC: [N, C], finite; a memory map is read twice, block by block. Of less than 32
            bits, it is standardised in float32.

    >>> measured = standardise(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32))
    >>> measured.rows(slice(0, 2)).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    count, width = features_NC.shape
    total_C = np.zeros(width)
    for part in blocks(count):
        total_C += features_NC[part].sum(axis=0, dtype=np.float64)
    dtype = np.result_type(features_NC.dtype, np.float32)
    mean_C = (total_C / count).astype(dtype)
    squares_C = np.zeros(width)
    for part in blocks(count):
        squares_C += ((np.asarray(features_NC[part], dtype) - mean_C) ** 2).sum(
            axis=0, dtype=np.float64)
    deviation_C = np.sqrt(squares_C / count)
    # Of a constant column rounding leaves a little, which is no deviation.
    still_C = deviation_C <= 1e-6 * np.maximum(np.abs(mean_C), 1e-30)
    scale_C = np.where(still_C, 0.0, 1 / np.where(still_C, 1, deviation_C))
    return Standardised(features_NC, mean_C, scale_C.astype(dtype))
