"""Series one below the other in a text file (long format): which row is of which series.

T rows, S series.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.data.series.clock import Clock
from amlnn.data.series.csv_table import CSVTable
from amlnn.data.series.time_cells import TimeCells
from amlnn.errors import DataError
from amlnn.suggest import did_you_mean

__all__ = ['Members', 'constant_columns', 'divide', 'read_times', 'static_values']


@dataclass(frozen=True)
class Members:
    """The series of a table, whose rows lie one series below the other."""

    ids: list[str]
    """The S names, in the order of the file."""
    bounds: np.ndarray
    """[S + 1] int64: series s is rows bounds[s] to bounds[s + 1]."""

    @property
    def of_rows(self) -> np.ndarray:
        """[T] int64, the place of each row's series."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.bounds))

    @property
    def firsts(self) -> np.ndarray:
        """[S] int64, the first row of each series."""
        return self.bounds[:-1]


def divide(table: CSVTable, columns: Sequence[str]) -> Members:
    """Bring the rows of each series together, in the order in which they are.

    Args:
        table: Its rows change their places.
        columns: Whose cells name a series; of several, all of them together.

    Raises:
        DataError: there is no such column, or a row has no name.
    """
    for name in columns:
        if name not in table.header:
            raise DataError(f'`{table.path}`: no column `{name}`',
                            hint=did_you_mean(name, table.header)
                            or f'it has {", ".join(table.header)}')
    names = table.column(columns[0])
    if len(columns) > 1:
        names = [' / '.join(parts) for parts in zip(*map(table.column, columns), strict=True)]
    known: dict[str, int] = {}
    codes = np.fromiter((known.setdefault(name, len(known)) for name in map(str.strip, names)),
                        np.int64, len(names))
    if '' in known:
        row = int((codes == known['']).argmax())
        raise DataError(f'{table.where(row)}: `{columns[0]}` is empty, and names the series',
                        hint='give every row the name of its series')
    if (np.diff(codes) < 0).any():
        table.reorder(np.argsort(codes, kind='stable'))
    return Members(list(known), np.concatenate([[0], np.cumsum(np.bincount(codes))]))


def read_times(table: CSVTable, members: Members, column: str, date_format: str | None,
               timezone: str | None, where: Callable[[int], str]
               ) -> tuple[np.ndarray, Clock, list[str]]:
    """[T] datetime64[s]; the clock; what was concluded. See `TimeCells`."""
    cells = table.column(column)
    if timezone is not None:  # an hour that clocks show twice is told by the row before
        parts = []
        for first, stop in zip(members.bounds, members.bounds[1:], strict=False):
            part, clock, notes = TimeCells(
                cells[first:stop], lambda row, first=first: where(first + row), date_format,
                timezone).read()
            parts.append(part)
        return np.concatenate(parts), clock, notes
    known: dict[str, int] = {}
    rows: list[int] = []
    codes = np.empty(len(cells), dtype=np.int64)
    for row, cell in enumerate(cells):
        code = known.setdefault(cell, len(known))
        if code == len(rows):
            rows.append(row)
        codes[row] = code
    times, clock, notes = TimeCells(list(known), lambda place: where(rows[place]),
                                    date_format).read()
    return times[codes], clock, notes


def constant_columns(table: CSVTable, members: Members, names: Sequence[str]) -> list[str]:
    """Those columns that never change within a series, though they do from one to another."""
    found = []
    for name in names:
        cells = table.column(name)
        if len(members.ids) > 1 and len(set(cells)) > 1 and _first_change(cells, members) is None:
            found.append(name)
    return found


def static_values(table: CSVTable, members: Members, name: str,
                  number: Callable[[str], float]) -> np.ndarray:
    """[S]: what a column holds in each series, numbers if all are, else text.

    Args:
        table: The cells.
        members: Which row is of which series.
        name: The column.
        number: Makes a cell a number, or raises ValueError.

    Raises:
        DataError: the column changes within a series.
    """
    cells = table.column(name)
    row = _first_change(cells, members)
    if row is not None:
        raise DataError(
            f'{table.where(row)}: `{name}` is `{cells[row]}`, and `{cells[row - 1]}` in the row '
            f'before of series `{members.ids[members.of_rows[row]]}`',
            hint=f'a static column is the same in all rows of a series: take `{name}` out of '
            'static, or put it into extra or known of the data set')
    own = [cells[row].strip() for row in members.firsts]
    try:
        return np.array([number(cell) for cell in own], dtype=np.float64)
    except ValueError:
        return np.array(own, dtype=object)


def _first_change(cells: list[str], members: Members) -> int | None:
    """The first row that holds another value than the row before it of the same series."""
    for first, stop in zip(members.bounds.tolist(), members.bounds[1:].tolist(), strict=False):
        if cells[first:stop].count(cells[first]) != stop - first:
            return next(row for row in range(first, stop) if cells[row] != cells[first])
    return None
