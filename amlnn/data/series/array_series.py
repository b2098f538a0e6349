"""A series in a numpy file."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.series.csv_missing import check_missing
from amlnn.data.series.csv_table import absent_file
from amlnn.data.series.gaps import check_gaps, lay_on_grid
from amlnn.data.series.series import MASK_HINT, Series
from amlnn.errors import DataError

__all__ = ['ArraySeries']


@DATASETS.register_module()
class ArraySeries:
    """A series in a numpy file.

    Args:
        path: A `.npy` file of [T] or [T, C], or a `.npz` file that holds one such array, or one
            called `values` and, if wanted, `times` [T] datetime64.
        columns: Names of the C columns; None for `column_0`, `column_1`, ...
        missing: What a NaN is: 'error', or 'mask' for a missing value.
        gaps: What a row that is missing on the time grid is: 'error', or 'mask' to insert it, with
            all of its values missing.

    Raises:
        DataError: the file is not there, is no array of numbers, or holds what it should not.
    """

    def __init__(self, path: str, columns: Sequence[str] | None = None, missing: str = 'error',
                 gaps: str = 'error'):
        check_missing(missing)
        check_gaps(gaps)
        self.path = Path(path)
        self.columns = None if columns is None else list(columns)
        self.missing = missing
        self.gaps = gaps

    def read(self) -> Series:
        """Read the file, and lay its rows on their time grid."""
        return lay_on_grid(self.read_rows(), self.gaps)

    def read_rows(self) -> Series:
        """The rows of the file as they are, whether or not some are missing."""
        arrays = self._load()
        values = self._as_columns(arrays['values'])
        columns = self.columns
        if columns is None:
            columns = [f'column_{place}' for place in range(values.shape[1])]
        if len(columns) != values.shape[1]:
            raise DataError(f'`{self.path}` has {values.shape[1]} columns, columns names '
                            f'{len(columns)}', hint=f'name {values.shape[1]}, or none')
        missing = np.isnan(values)
        if self.missing == 'error' and missing.any():
            row, column = np.argwhere(missing)[0]
            raise DataError(f'`{self.path}`: row {row}, column `{columns[column]}` is missing '
                            f'(NaN)', hint=MASK_HINT)
        return Series(values, ~missing, columns, self._times(arrays.get('times'), len(values)),
                      path=str(self.path))

    def _load(self) -> dict[str, np.ndarray]:
        try:
            with self.path.open('rb') as file:  # numpy leaves a damaged file open
                loaded = np.load(file, allow_pickle=False)
                if isinstance(loaded, np.ndarray):
                    return {'values': loaded}
                arrays = {name: loaded[name] for name in loaded.files}
        except FileNotFoundError:
            raise absent_file(self.path) from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f'`{self.path}` is not a numpy file of numbers: {error}',
                            hint='numpy.save(path, values) writes one') from None
        if len(arrays) == 1 and 'values' not in arrays:
            return {'values': next(iter(arrays.values()))}
        if 'values' not in arrays:
            raise DataError(f'`{self.path}` holds {", ".join(sorted(arrays)) or "nothing"}',
                            hint='numpy.savez(path, values=...) names the array that is read')
        return arrays

    def _as_columns(self, values: np.ndarray) -> np.ndarray:
        if values.dtype.kind not in 'fiub' or values.ndim not in (1, 2) or not values.size:
            raise DataError(f'`{self.path}` holds {values.dtype} {list(values.shape)}',
                            hint='numbers of [rows] or [rows, columns] are read')
        return values.reshape(len(values), -1).astype(np.float64)

    def _times(self, times: np.ndarray | None, rows: int) -> np.ndarray | None:
        if times is None:
            return None
        if times.dtype.kind != 'M' or times.shape != (rows,):
            raise DataError(f'`{self.path}`: times is {times.dtype} {list(times.shape)}',
                            hint=f'datetime64 [{rows}] is read')
        times = times.astype('datetime64[s]')
        wrong = np.flatnonzero(~(np.diff(times) > np.timedelta64(0, 's')))  # NaT is wrong too
        if len(wrong):
            place = int(wrong[0]) + 1
            raise DataError(f'`{self.path}`: row {place}: time {times[place]} comes after '
                            f'{times[place - 1]}', hint='every row is later than the one before')
        return times
