"""The parts that a generated series is made of, read and checked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amlnn.errors import DataError
from amlnn.results.arrays import read_arrays

__all__ = ['SeriesComponents', 'read_components']

# T rows, C columns

_SUMMED = ('trend', 'seasons', 'shifts', 'noise', 'outliers')
_HINT = 'delete the file; a new training writes it again'


@dataclass(frozen=True)
class SeriesComponents:
    """What `components.npz` of a forecaster's run holds, in the units of the data."""

    parts: dict[str, np.ndarray]
    """[T, C] float64 by name, whose sum is the series; 'gaps' is bool, True where it is missing."""
    columns: list[str]
    times: np.ndarray
    """[T] datetime64."""
    borders: tuple[int, ...]
    """Rows at which the training, validation and test part end."""


def read_components(path: Path | str) -> SeriesComponents:
    """Read and check the parts of a run's series.

    Raises:
        DataError: the file is truncated, or an array is missing, of the wrong shape or type, or not
            finite.

    >>> ones = np.ones((2, 1))
    >>> np.savez('components.npz', trend=5 * ones, seasons=ones, shifts=ones, noise=ones,
    ...          outliers=ones, gaps=ones > 1, columns=['height'], borders=[1, 1, 2],
    ...          times=np.array(['2020-01-01', '2020-01-02'], 'datetime64[D]'))
    >>> found = read_components('components.npz')
    >>> found.parts['trend'].ravel().tolist(), found.columns, found.borders
    ([5.0, 5.0], ['height'], (1, 1, 2))
    """
    arrays = read_arrays(path, (*_SUMMED, 'gaps', 'columns', 'times', 'borders'))
    shape = arrays['gaps'].shape
    good = (len(shape) == 2 and 0 not in shape and arrays['gaps'].dtype == bool
            and arrays['columns'].shape == shape[1:] and arrays['columns'].dtype.kind == 'U'
            and arrays['times'].shape == shape[:1] and arrays['times'].dtype.kind == 'M'
            and arrays['borders'].shape == (3, ) and arrays['borders'].dtype.kind == 'i'
            and bool((arrays['borders'] <= shape[0]).all()))
    for name in _SUMMED:
        good = good and arrays[name].shape == shape and arrays[name].dtype.kind == 'f' \
            and bool(np.isfinite(arrays[name]).all())
    if not good:
        raise DataError(f'`{path}` does not hold the parts of a series', hint=_HINT)
    parts = {name: arrays[name].astype(np.float64) for name in _SUMMED}
    return SeriesComponents(parts | {'gaps': arrays['gaps']}, arrays['columns'].tolist(),
                            arrays['times'], tuple(arrays['borders'].tolist()))
