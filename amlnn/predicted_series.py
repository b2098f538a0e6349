"""A forecast of what follows the end of a series: what predicting makes, and a picture shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ['PredictedSeries']

# T rows of the past, P steps ahead, C columns


@dataclass(frozen=True)
class PredictedSeries:
    """One series, in the units of the file."""

    name: str
    """Empty for a series that stands alone."""
    values: 'np.ndarray'
    """[T, C] float: the past, NaN where a value is missing."""
    point: 'np.ndarray'
    """[P, C]."""
    intervals: Sequence[tuple[float, 'np.ndarray', 'np.ndarray']] = field(default_factory=list)
    """Level (0.8, say), lower and upper bounds [P, C] of each."""
    times: 'np.ndarray | None' = None
    """[T] datetime64, as clocks show them, or int row numbers; None where rows count from 0."""
    ahead: 'np.ndarray | None' = None
    """[P], as `times`; None where they go on by one row."""
