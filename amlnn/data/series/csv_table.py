"""The cells of a text file: its names of columns, then a row a line."""

import csv
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from amlnn.data.fetch.download_table import download_command
from amlnn.data.series.csv_dialect import conclude_delimiter, encodings_of, open_rows
from amlnn.data.series.number_cells import looks_like_number
from amlnn.data.series.time_cells import looks_like_time
from amlnn.errors import DataError
from amlnn.suggest import did_you_mean

__all__ = ['NO_NAME', 'CSVTable', 'absent_file']

NO_NAME = 'Unnamed: '
"""What a column without a name is called, with its place from 0: pandas' way."""


@dataclass
class CSVTable:
    """Reads a file's cells as text.

    Raises:
        DataError: by `read`: the file is not there, is no table, or has no such column.
    """

    path: Path
    date_column: str | None
    columns: list[str] | None
    rows: tuple[int, int] | None
    """(first, stop), counted from 0 without the header."""
    delimiter: str | None
    encoding: str | None
    skip_lines: int = 0
    header: list[str] = field(default_factory=list)
    columns_of_cells: list[list[str]] = field(default_factory=list)
    """[T] cells of each column."""
    lines: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """[T] int64, line of the file in which each row ends."""
    notes: list[str] = field(default_factory=list)
    used_delimiter: str = ','

    def read(self) -> 'CSVTable':
        """Read the file."""
        try:
            encodings = encodings_of(self.path, self.encoding)
            for encoding in encodings:
                try:
                    self._read(encoding)
                    break
                except UnicodeDecodeError:
                    if encoding == encodings[-1]:
                        raise
            if encoding != encodings[0]:
                self.notes.append(f'not in UTF-8: read as {encoding}; encoding= of the source '
                                  'names another')
        except FileNotFoundError:
            raise absent_file(self.path) from None
        except OSError as error:
            raise DataError(f'`{self.path}` cannot be read: {error.strerror}',
                            hint='`path` names a CSV file') from None
        except (UnicodeError, csv.Error) as error:
            raise DataError(
                f'`{self.path}` is not a CSV file in {self.encoding or "UTF-8"}: {error}',
                hint="encoding='cp1252' or 'utf-16', say; or export it again as CSV, UTF-8") \
                from None
        return self

    def column(self, name: str) -> list[str]:
        """[T] cells; they belong to the table."""
        return self.columns_of_cells[self.header.index(name)]

    def reorder(self, order: np.ndarray) -> None:
        """Put the rows into another order; `order` [T] int64 are their places now."""
        self.lines = self.lines[order]
        places = order.tolist()
        for place, cells in enumerate(self.columns_of_cells):
            self.columns_of_cells[place] = [cells[row] for row in places]

    def where(self, row: int) -> str:
        """File and line of a row."""
        return f'`{self.path}:{self.lines[row]}`'

    def _read(self, encoding: str) -> None:
        count, cells = 0, _Cells()
        used = self.delimiter or conclude_delimiter(self.path, encoding, self.skip_lines)
        self.used_delimiter = used
        rows = open_rows(self.path, encoding, used, self.skip_lines)
        self.header = [name.strip() for name in next(rows, ([], 0))[0]]
        self._check_header(used, encoding)
        first, stop = self.rows or (0, None)
        empty = []  # rows without a time may be missing values, if others follow
        for row, line in rows:
            if not ''.join(row).strip():
                if self.date_column is None and len(row) > 1:
                    empty.append((row, line))
                continue
            for each, place in [*empty, (row, line)]:
                count += 1
                if first < count <= (stop or count):
                    if len(each) != len(self.header):
                        self._refuse_length(each, place)
                    cells.add(each, place)
            empty = []
            if stop and count >= stop:
                break
        self.columns_of_cells, self.lines = cells.columns(len(self.header))
        if count < (stop or first + 1):
            raise DataError(
                f'`{self.path}` has {count} rows' + (f', rows={self.rows}' if self.rows else ''),
                hint='rows=(first, stop) counts from 0 without the header' if self.rows else
                'a line of column names is followed by a row a line')
        if self.delimiter is None and used != ',':
            self.notes.append(f'`{used}` stands between the cells'.replace('\t', 'a tab'))

    def _check_header(self, delimiter: str, encoding: str) -> None:
        header, line = self.header, self.skip_lines + 1
        if not header:
            raise DataError(f'`{self.path}` is empty', hint='its first line names the columns')
        for place, name in enumerate(header):
            if name and name in header[:place]:
                raise DataError(f'`{self.path}:{line}`: two columns are called `{name}`',
                                hint='give every column a name of its own')
        self.header = header = [name or f'{NO_NAME}{place}' for place, name in enumerate(header)]
        self._check_names_are_no_values(line)
        for name in [self.date_column, *(self.columns or [])]:
            if name is not None and name not in header:
                shown = ', '.join(f'`{known}`' for known in header[:12])
                other = ' ...' if len(header) > 12 else ''
                raise DataError(f'`{self.path}:{line}`: no column `{name}` among {shown}{other}',
                                hint=self._hint_for(name, delimiter, encoding))

    def _check_names_are_no_values(self, line: int) -> None:
        named = [name for name in self.header if not name.startswith(NO_NAME)]
        asked = {self.date_column, *(self.columns or [])} - {None}
        values = all(looks_like_number(name) or looks_like_time(name) for name in named)
        if named and values and not asked & set(named) \
                and not all(name.isdecimal() and len(name) < 5 for name in named):
            raise DataError(
                f'`{self.path}:{line}`: the first line holds `{named[0]}`, a value where the names '
                'of the columns belong', hint='put a line of names above it, as `'
                + ','.join(['date', 'a', 'b', 'c'][:max(len(self.header), 2)]) + '`')

    def _hint_for(self, name: str, delimiter: str, encoding: str) -> str:
        nearest = did_you_mean(name, self.header)
        hint = f'{nearest}; ' if nearest else ''
        sample = [(row, line) for (row, line), _ in zip(
            open_rows(self.path, encoding, delimiter, self.skip_lines), range(20), strict=False)]
        below = next((line for row, line in sample[1:] if name in map(str.strip, row)), None)
        if below:
            return f'line {below} has it: skip_lines={below - 1} of the source begins there'
        if len(self.header) == 1:
            return hint + f'the file has one column: is `{delimiter}` between its cells? ' \
                          'see delimiter'
        if name != self.date_column:
            return hint + 'columns of the source, in a forecast those of the training, are ' \
                          'names of the first line'
        times = [other for place, other in enumerate(self.header)
                 if len(sample) > 1 and place < len(sample[1][0])
                 and looks_like_time(sample[1][0][place])]
        if times:
            return f'date_column={times[0]!r} of the source: it holds times'
        return hint + 'set date_column to the name of the column with the times, or to None'

    def _refuse_length(self, row: list[str], line: int) -> None:
        hint = 'every line has a cell for each column; is the file whole?'
        if self.used_delimiter == ',' and len(row) > len(self.header):
            hint = 'are decimals written with a comma? put such numbers in quotes, or `;` ' \
                   'between cells; else ' + hint
        raise DataError(f'`{self.path}:{line}`: {len(row)} cells, the header has '
                        f'{len(self.header)}', hint=hint)


class _Cells:
    """Cells column by column, equal ones of a column kept once: of many rows, names and dates are.
    """

    block = 65536  # rows
    most = 200_000  # different cells of a column that are looked up

    def __init__(self):
        self._rows: list[list[str]] = []
        self._columns: list[list[str]] = []
        self._known: list[dict[str, str]] = []
        self._lines = array('q')

    def add(self, row: list[str], line: int) -> None:
        """Add a row."""
        self._rows.append(row)
        self._lines.append(line)
        if len(self._rows) == self.block:
            self._turn()

    def columns(self, count: int) -> tuple[list[list[str]], np.ndarray]:
        """[T] cells of each of `count` columns, and the [T] lines."""
        self._turn()
        return self._columns or [[] for _ in range(count)], np.array(self._lines, dtype=np.int64)

    def _turn(self) -> None:
        for place, cells in enumerate(zip(*self._rows, strict=True)):
            if place == len(self._columns):
                self._columns.append([])
                self._known.append({})
            known = self._known[place]
            if len(known) < self.most:
                cells = [known.setdefault(cell, cell) for cell in cells]
            self._columns[place].extend(cells)
        self._rows.clear()


def absent_file(path: Path) -> DataError:
    """The error of a file that is not there."""
    return DataError(f'no file at `{path}`', hint=download_command(path) or
                     '--data FILE names another; `path` of the source is looked up from the '
                     'working folder')
