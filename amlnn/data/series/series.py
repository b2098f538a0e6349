"""Series of numbers in time, and the files they are read from.

A source is a registered class with `read() -> Series`; `SeriesWindows` builds it from its `source`.
"""

import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.fetch.download_table import download_command
from amlnn.errors import DataError
from amlnn.suggest import did_you_mean

__all__ = ['ArraySeries', 'CSVSeries', 'Series', 'guess_season']

_MISSING = {'', 'nan', 'na', 'n/a', 'null', 'none'}
_MASK_HINT = "fill it in, or set missing='mask': models then leave out what is missing"
# Seconds of a step, and how many of them make the cycle that people and weather follow.
_SEASONS = {60: 1440, 300: 288, 600: 144, 900: 96, 1800: 48, 3600: 24, 86400: 7}


@dataclass
class Series:
    """One or several columns of numbers, row by row in time.

    Raises:
        DataError: the parts do not fit each other, or an observed value is not finite.
    """

    values: np.ndarray
    """[T, C] float64; NaN where nothing was observed."""
    observed: np.ndarray
    """[T, C] bool, False where the value is missing."""
    columns: list[str]
    """The C names."""
    times: np.ndarray | None = None
    """[T] datetime64[s], strictly rising, or None."""
    truth: np.ndarray | None = None
    """[T, C] float64, the signal without noise, where it is known."""

    def __post_init__(self):
        self.values = np.asarray(self.values, dtype=np.float64)
        shape = self.values.shape
        fitting = (len(shape) == 2 and np.shape(self.observed) == shape
                   and len(self.columns) == shape[1]
                   and (self.times is None or len(self.times) == shape[0])
                   and (self.truth is None or np.shape(self.truth) == shape))
        if not fitting:
            raise DataError(
                f'a series of values {list(shape)} has observed {list(np.shape(self.observed))}, '
                f'{len(self.columns)} column names, times '
                f'{None if self.times is None else len(self.times)} and truth '
                f'{None if self.truth is None else list(np.shape(self.truth))}',
                hint='values, observed and truth are [rows, columns], times [rows]')
        repeated = [name for place, name in enumerate(self.columns)
                    if name in self.columns[:place]]
        if repeated:
            raise DataError(f'two columns are called `{repeated[0]}`',
                            hint='give every column a name of its own')
        bad = self.observed & ~np.isfinite(self.values)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise DataError(f'row {row}, column `{self.columns[column]}`: '
                            f'{self.values[row, column]} is not a finite number', hint=_MASK_HINT)
        if not self.observed.all():
            self.values = np.where(self.observed, self.values, np.nan)

    @property
    def step_seconds(self) -> float | None:
        """The usual distance of two rows in seconds (the median), None without times."""
        if self.times is None or len(self.times) < 2:
            return None
        return float(np.median(np.diff(self.times).astype('timedelta64[s]').astype(np.int64)))


def guess_season(step_seconds: float | None) -> int | None:
    """Rows in the cycle that series of this step usually have: a day, a week of days, a year.

    Args:
        step_seconds: Distance of two rows, None where it is unknown.

    Returns:
        Rows, or None where nothing is usual.

    >>> guess_season(3600.0), guess_season(86400.0), guess_season(31 * 86400.0), guess_season(7.0)
    (24, 7, 12, None)
    """
    if step_seconds is None:
        return None
    days = step_seconds / 86400
    if 28 <= days <= 31:
        return 12
    if 90 <= days <= 92:
        return 4
    if days == 7:
        return 52
    return _SEASONS.get(int(step_seconds)) if step_seconds == int(step_seconds) else None


@DATASETS.register_module()
class CSVSeries:
    """A series in a text file: a line of column names, then a row a line, in order of time.

    Args:
        path: The file, UTF-8.
        date_column: Name of the column with the times, None if there is none. Times are
            ISO 8601 (`2016-07-01`, `2016-07-01 13:00`, `20160701T1300`, `2016-07`, `2016`, also
            with `/` for `-`); those with an offset are turned to UTC.
        columns: Columns of numbers to read, in this order; None for all but the times.
        rows: Only these rows, (first, stop), counted from 0; the others are not looked at.
        missing: What an empty or NaN cell is: 'error', or 'mask' for a missing value.
        date_format: Format of other times, as `datetime.strptime` takes it, as `%d.%m.%Y %H:%M`.
        delimiter: What stands between two cells.

    Raises:
        DataError: the file is not there, or a cell is wrong; its line and column are named.
    """

    def __init__(self, path: str, date_column: str | None = 'date',
                 columns: Sequence[str] | None = None, rows: Sequence[int] | None = None,
                 missing: str = 'error', date_format: str | None = None, delimiter: str = ','):
        _check_missing(missing)
        if isinstance(columns, str):
            raise DataError(f'columns is the text `{columns}`', hint=f'columns=[{columns!r}]')
        if rows is not None and not (len(rows) == 2 and 0 <= rows[0] < rows[1]):
            raise DataError(f'rows={rows} is not (first, stop) with 0 <= first < stop',
                            hint='rows=(0, 14400) reads the first 14,400 rows')
        self.path = Path(path)
        self.date_column = date_column
        self.columns = None if columns is None else list(columns)
        self.rows = rows
        self.missing = missing
        self.date_format = date_format
        self.delimiter = delimiter

    def read(self) -> Series:
        """Read the file."""
        header, cells, lines = self._read_cells()
        places = self._choose(header)
        numbers = [self._numbers([row[place] for row in cells], header[place], lines)
                   for place in places]
        times = None
        if self.date_column is not None:
            place = header.index(self.date_column)
            times = self._times([row[place] for row in cells], lines)
        values = np.stack(numbers, axis=1)
        return Series(values, ~np.isnan(values), [header[place] for place in places], times)

    def _read_cells(self) -> tuple[list[str], list[list[str]], list[int]]:
        """Header, rows, and the line of the file in which each row ends."""
        cells, lines = [], []
        first, stop = self.rows or (0, None)
        count = 0
        try:
            with self.path.open(encoding='utf-8-sig', newline='') as file:
                reader = csv.reader(file, delimiter=self.delimiter, strict=True)
                header = [name.strip() for name in next(reader, [])]
                self._check_header(header)
                for row in reader:
                    if not row or (len(row) == 1 and not row[0].strip()):
                        continue
                    count += 1
                    if count > first:
                        self._check_length(row, header, reader.line_num)
                        cells.append(row)
                        lines.append(reader.line_num)
                    if count == stop:
                        break
        except FileNotFoundError:
            raise DataError(f'no file at `{self.path}`',
                            hint=download_command(self.path) or '`path` of the source is looked up '
                                                                'from the working folder') \
                from None
        except OSError as error:
            raise DataError(f'`{self.path}` cannot be read: {error.strerror}',
                            hint='`path` names a CSV file') from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f'`{self.path}` is not a CSV file in UTF-8: {error}',
                            hint='export it again as CSV, UTF-8') from None
        if count < (stop or first + 1):
            raise DataError(
                f'`{self.path}` has {count} rows' + (f', rows={self.rows}' if self.rows else ''),
                hint='rows=(first, stop) counts from 0 without the header' if self.rows else
                'a line of column names is followed by a row a line')
        return header, cells, lines

    def _check_header(self, header: list[str]) -> None:
        if not header:
            raise DataError(f'`{self.path}` is empty', hint='its first line names the columns')
        for place, name in enumerate(header):
            if name in header[:place]:
                raise DataError(f'`{self.path}:1`: two columns are called `{name}`',
                                hint='give every column a name of its own')
        for name in [self.date_column, *(self.columns or [])]:
            if name is not None and name not in header:
                shown = ', '.join(f'`{known}`' for known in header[:12])
                other = ' ...' if len(header) > 12 else ''
                nearest = did_you_mean(name, header)
                hint = f'{nearest}; ' if nearest else ''
                if len(header) == 1:
                    hint += f'the file has one column: is `{self.delimiter}` between its cells? '\
                            'see delimiter'
                elif name == self.date_column:
                    hint += 'set date_column to the name of the column with the times, or to None'
                else:
                    hint += 'columns takes names of the first line'
                raise DataError(f'`{self.path}:1`: no column `{name}` among {shown}{other}',
                                hint=hint)

    def _check_length(self, row: list[str], header: list[str], line: int) -> None:
        if len(row) != len(header):
            raise DataError(f'`{self.path}:{line}`: {len(row)} cells, the header has {len(header)}',
                            hint='every line has a cell for each column; is the file whole?')

    def _choose(self, header: list[str]) -> list[int]:
        """Places of the columns of numbers."""
        names = self.columns
        if names is None:
            names = [name for name in header if name != self.date_column]
        if not names:
            raise DataError(f'`{self.path}` has no column of numbers',
                            hint='columns chooses them; date_column=None if there are no times')
        return [header.index(name) for name in names]

    def _numbers(self, cells: list[str], column: str, lines: list[int]) -> np.ndarray:
        """[T] float64, NaN where the value is missing."""
        try:
            numbers = np.array(cells, dtype=np.float64)
        except ValueError:
            numbers = np.array([self._number(cell, column, line)
                                for cell, line in zip(cells, lines, strict=True)])
        if not np.isfinite(numbers).all():
            if np.isinf(numbers).any():
                place = int(np.isinf(numbers).argmax())
                raise DataError(f'`{self.path}:{lines[place]}`: column `{column}` holds '
                                f'`{cells[place]}`, which is not finite',
                                hint='correct the cell, or leave it empty')
            if self.missing == 'error':
                places = np.flatnonzero(np.isnan(numbers))
                more = f', the first of {len(places)} cells' if len(places) > 1 else ''
                raise DataError(f'`{self.path}:{lines[places[0]]}`: column `{column}` is missing '
                                f'(`{cells[places[0]]}`){more}', hint=_MASK_HINT)
        return numbers

    def _number(self, cell: str, column: str, line: int) -> float:
        try:
            return np.nan if cell.strip().lower() in _MISSING else float(cell)
        except ValueError:
            raise DataError(
                f'`{self.path}:{line}`: column `{column}` holds `{cell}`, which is not a number',
                hint='correct the cell, or choose the columns of numbers: columns=[...]') from None

    def _times(self, cells: list[str], lines: list[int]) -> np.ndarray:
        """[T] datetime64[s], strictly rising."""
        times = np.array([self._time(cell, line)
                          for cell, line in zip(cells, lines, strict=True)], dtype='datetime64[s]')
        wrong = np.flatnonzero(np.diff(times) <= np.timedelta64(0, 's'))
        if len(wrong):
            place = int(wrong[0]) + 1
            same = np.flatnonzero(times[:place] == times[place])
            where = f'`{self.path}:{lines[place]}`: column `{self.date_column}`: '
            if len(same):
                raise DataError(
                    f'{where}`{cells[place]}` occurs a second time, first in line '
                    f'{lines[same[0]]}',
                    hint='keep one row for each time; several series make one column each')
            raise DataError(
                f'{where}`{cells[place]}` comes after `{cells[place - 1]}`',
                hint=f'sort the file by `{self.date_column}`, or set date_column=None if its rows '
                'are in order all the same')
        return times

    def _time(self, cell: str, line: int) -> datetime:
        text = cell.strip()
        try:
            if self.date_format is not None:
                time = datetime.strptime(text, self.date_format)
            else:
                text = text.replace('/', '-')
                if len(text) in (4, 7) and text[:4].isdigit():  # a year, or a year and its month
                    text += '-01-01'[-(10 - len(text)):]
                time = datetime.fromisoformat(text)
        except ValueError:
            hint = "date_format='%d.%m.%Y %H:%M' says how times are written; date_column=None " \
                   'reads none'
            raise DataError(f'`{self.path}:{line}`: column `{self.date_column}` holds `{cell}`, '
                            f'which is not a time', hint=hint) from None
        if time.microsecond:
            raise DataError(f'`{self.path}:{line}`: column `{self.date_column}` holds `{cell}`, '
                            'a fraction of a second', hint='date_column=None reads no times')
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


@DATASETS.register_module()
class ArraySeries:
    """A series in a numpy file.

    Args:
        path: A `.npy` file of [T] or [T, C], or a `.npz` file that holds one such array, or one
            called `values` and, if wanted, `times` [T] datetime64.
        columns: Names of the C columns; None for `column_0`, `column_1`, ...
        missing: What a NaN is: 'error', or 'mask' for a missing value.

    Raises:
        DataError: the file is not there, is no array of numbers, or holds what it should not.
    """

    def __init__(self, path: str, columns: Sequence[str] | None = None, missing: str = 'error'):
        _check_missing(missing)
        self.path = Path(path)
        self.columns = None if columns is None else list(columns)
        self.missing = missing

    def read(self) -> Series:
        """Read the file."""
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
                            f'(NaN)', hint=_MASK_HINT)
        return Series(values, ~missing, columns, self._times(arrays.get('times'), len(values)))

    def _load(self) -> dict[str, np.ndarray]:
        try:
            with self.path.open('rb') as file:  # numpy leaves a damaged file open
                loaded = np.load(file, allow_pickle=False)
                if isinstance(loaded, np.ndarray):
                    return {'values': loaded}
                arrays = {name: loaded[name] for name in loaded.files}
        except FileNotFoundError:
            raise DataError(f'no file at `{self.path}`',
                            hint=download_command(self.path) or '`path` of the source is looked up '
                                                                'from the working folder') \
                from None
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


def _check_missing(missing: str) -> None:
    if missing not in ('error', 'mask'):
        raise DataError(f"missing={missing!r}", hint="missing is 'error' or 'mask'")
