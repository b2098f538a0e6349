"""A series in a text file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.series.clock import Clock, find_zone
from amlnn.data.series.csv_table import NO_NAME, CSVTable
from amlnn.data.series.gaps import check_gaps, lay_on_grid
from amlnn.data.series.number_cells import (
    NumberStyle,
    conclude_style,
    looks_like_number,
    unit_of,
)
from amlnn.data.series.series import MASK_HINT, Series
from amlnn.data.series.time_cells import TimeCells, looks_like_time
from amlnn.data.series.time_grid import TimeGrid
from amlnn.data.series.unmeant import several_series, unmeant
from amlnn.errors import DataError

__all__ = ['CSVSeries', 'check_missing']


@DATASETS.register_module()
class CSVSeries:
    """A series in a text file: a line of column names, then a row a line, in order of time.

    What is not given is concluded from the whole file and said in the series' notes, or refused
    where the file leaves it open. Columns that count rows, have no name, hold ids or repeat the
    date are read, and taken only where `columns`, or the windows' `targets`, names them.

    Args:
        path: The file.
        date_column: Name of the column with the times, None if there is none; 'Unnamed: 0' is the
            first one where it has no name. Times are ISO 8601 (`2016-07-01`, `2016-07-01 13:00`,
            `20160701T1300`, `2016-07`, `2016`, `2016-W26`, also with `/` for `-`), `31.12.2016`,
            `2016Q3`, `Jul 2016`, or seconds since 1970. Their offsets are kept.
        columns: Columns of numbers to read, in this order; None for all but the times.
        rows: Only these rows, (first, stop), counted from 0; the others are not looked at.
        missing: What an empty or NaN cell is: 'error', or 'mask' for a missing value.
        date_format: Format of the times, as `datetime.strptime` takes it, as `%d.%m.%Y %H:%M`.
        delimiter: What stands between two cells; None to find it out.
        decimal: What stands before decimals, '.' or ','; None to find it out.
        thousands: What stands between thousands; None to find it out.
        encoding: 'utf-8', 'utf-16', 'cp1252', ...; None to find it out.
        timezone: Zone of times that are written without an offset, as 'Europe/Berlin' or '+01:00';
            others are turned to it.
        gaps: What a row that is missing on the time grid is: 'error', or 'mask' to insert it, with
            all of its values missing.
        step: From row to row: '15 minutes', 'business days', 'month end'; None to find it out.
        skip_lines: Lines above that of the names.

    Raises:
        DataError: the file is not there, or a cell is wrong; its line and column are named.
    """

    def __init__(self, path: str, date_column: str | None = 'date',
                 columns: Sequence[str] | None = None, rows: Sequence[int] | None = None,
                 missing: str = 'error', date_format: str | None = None,
                 delimiter: str | None = None, decimal: str | None = None,
                 thousands: str | None = None, encoding: str | None = None,
                 timezone: str | None = None, gaps: str = 'error', step: str | None = None,
                 skip_lines: int = 0):
        check_missing(missing)
        check_gaps(gaps)
        if isinstance(columns, str):
            raise DataError(f'columns is the text `{columns}`', hint=f'columns=[{columns!r}]')
        if rows is not None and not (len(rows) == 2 and 0 <= rows[0] < rows[1]):
            raise DataError(f'rows={rows} is not (first, stop) with 0 <= first < stop',
                            hint='rows=(0, 14400) reads the first 14,400 rows')
        if decimal not in (None, '.', ',') or (thousands is not None and thousands == decimal):
            raise DataError(f'decimal={decimal!r}, thousands={thousands!r}',
                            hint="decimal is '.' or ',', and thousands something else")
        for name, value in (('delimiter', delimiter), ('thousands', thousands)):
            if value is not None and len(value) != 1:
                raise DataError(f'{name}={value!r} is not one sign', hint=f"{name}=';', say")
        if skip_lines < 0:
            raise DataError(f'skip_lines={skip_lines}', hint='a number of lines, 0 or above')
        if date_column is None and (step or timezone):
            raise DataError('step or timezone is given, and date_column=None reads no times',
                            hint='name the column with the times, or leave them out')
        if timezone is not None:
            find_zone(timezone)
        self.path = Path(path)
        self.date_column = date_column
        self.columns = None if columns is None else list(columns)
        self.rows = rows
        self.missing = missing
        self.date_format = date_format
        self.delimiter = delimiter
        self.decimal, self.thousands = decimal, thousands
        self.encoding = encoding
        self.timezone = timezone
        self.gaps = gaps
        self.grid = None if step is None else TimeGrid.parse(step)
        self.skip_lines = skip_lines

    def read(self) -> Series:
        """Read the file, and lay its rows on their time grid."""
        series, table = self._read()
        try:
            laid = lay_on_grid(series, self.gaps, self.grid)
        except DataError:
            self._refuse_several(table, series.times)
            raise
        if len(laid.values) > len(series.values):
            self._refuse_several(table, series.times, named_so=True)
        return laid

    def read_rows(self) -> Series:
        """The rows of the file as they are, whether or not some are missing."""
        return self._read()[0]

    def _read(self) -> tuple[Series, CSVTable]:
        table = CSVTable(self.path, self.date_column, self.columns, self.rows, self.delimiter,
                         self.encoding, self.skip_lines).read()
        times, clock = None, Clock()
        notes = table.notes
        if self.date_column is not None:
            times, clock, said = self._times(table)
            notes = notes + said
        names = self._choose(table, notes)
        plain = {name: _plain(table.column(name)) for name in names}
        try:
            style, written = self._style(table, plain)
            numbers = {name: self._numbers(table, name, style, plain[name]) for name in names}
        except DataError:  # a word in a column may be the name of a series
            self._refuse_several(table, times)
            raise
        aside, why = self._set_aside(table, numbers, None if times is None else clock.wall(times))
        notes = [*notes, *filter(None, [written]), *why]
        self._check_missing_cells(table, {name: numbers[name] for name in numbers
                                          if name not in aside})
        names = [name for name in names if name not in aside]
        values = np.stack([numbers[name] for name in names], axis=1)
        series = Series(values, ~np.isnan(values), names, times, clock=clock, aside=aside,
                        notes=notes, path=str(self.path), lines=np.array(table.lines))
        return series, table

    def _choose(self, table: CSVTable, notes: list[str]) -> list[str]:
        """Columns of numbers; of all but the times, not those without name and number."""
        if self.columns is not None:
            return self.columns
        names = [name for name in table.header if name != self.date_column
                 and not (name.startswith(NO_NAME)
                          and not any(map(looks_like_number, table.column(name))))]
        for name in list(names):
            cells = table.column(name)
            if looks_like_time(cells[0]) and looks_like_time(cells[-1]):
                names.remove(name)
                notes.append(f'`{name}` holds times too, and is left out')
        if not names:
            raise DataError(f'`{self.path}` has no column of numbers',
                            hint='columns chooses them; date_column=None if there are no times')
        return names

    def _set_aside(self, table: CSVTable, numbers: dict[str, np.ndarray],
                   wall: np.ndarray | None) -> tuple[dict[str, np.ndarray], list[str]]:
        """Columns that nobody means to forecast, and a note for each; never all."""
        if self.columns is not None:
            return {}, []
        why = {name: unmeant(name, values, wall) for name, values in numbers.items()}
        found = {name: numbers[name] for name, reason in why.items() if reason}
        if len(found) == len(numbers):
            found.pop(next(iter(found)))
        return found, [f'`{name}` {why[name]} and is left out: targets (or columns of the source) '
                       'may name it' for name in found]

    def _style(self, table: CSVTable,
               plain: dict[str, np.ndarray | None]) -> tuple[NumberStyle, str | None]:
        given, by_commas = (self.decimal, self.thousands), table.used_delimiter == ','
        if given == (None, None) and by_commas and all(
                values is not None for values in plain.values()):
            return NumberStyle(), None
        cells = ((cell, row) for name in plain for row, cell in enumerate(table.column(name)))
        return conclude_style(cells, by_commas, table.where, *given)

    def _numbers(self, table: CSVTable, name: str, style: NumberStyle,
                 plain: np.ndarray | None) -> np.ndarray:
        """[T] float64, NaN where the value is missing."""
        cells, numbers = table.column(name), plain
        if plain is None or not style.plain:
            numbers = np.array([self._number(table, name, style, cell, row)
                                for row, cell in enumerate(cells)])
        if np.isinf(numbers).any():
            row = int(np.isinf(numbers).argmax())
            raise DataError(f'{table.where(row)}: column `{name}` holds `{cells[row]}`, which is '
                            'not finite', hint='correct the cell, or leave it empty')
        return numbers

    def _number(self, table: CSVTable, name: str, style: NumberStyle, cell: str,
                row: int) -> float:
        try:
            return style.number(cell)
        except ValueError:
            pass
        what, hint = 'which is not a number', 'correct the cell, or choose the columns of numbers: '
        unit = unit_of(cell)
        if unit:
            what = f'a number and `{unit}`'
            hint = f'take `{unit}` out of the cells, its place is the name of the column; or '
        elif looks_like_number(cell):
            what = 'which is a number of another kind than the others'
            hint = "correct the cell; decimal=',' and thousands='.' of the source say how " \
                   'numbers are written; or '
        good = [other for other in self.columns or table.header if other not in (
            self.date_column, name) and looks_like_number(table.column(other)[row])]
        raise DataError(
            f'{table.where(row)}: column `{name}` holds `{cell}`, {what}',
            hint=f'{hint}columns={good[:8] or "[...]"}{" ..." * (len(good) > 8)}')

    def _check_missing_cells(self, table: CSVTable, numbers: dict[str, np.ndarray]) -> None:
        for name, values in numbers.items():
            rows = np.flatnonzero(np.isnan(values))
            if self.missing == 'mask' or not len(rows):
                continue
            cells = table.column(name)
            more = f', the first of {len(rows)} cells' if len(rows) > 1 else ''
            hint = MASK_HINT
            if len(rows) > 1 and rows[0] == len(values) - len(rows):
                hint = f'are these {len(rows)} rows still to come? take them out, or ' \
                       f'rows=(0, {rows[0]}); else ' + hint
            raise DataError(f'{table.where(rows[0])}: column `{name}` is missing '
                            f'(`{cells[rows[0]]}`){more}', hint=hint)

    def _times(self, table: CSVTable) -> tuple[np.ndarray, Clock, list[str]]:
        """[T] datetime64[s], strictly rising; their clock; what was concluded."""
        cells = table.column(self.date_column)

        def where(row: int) -> str:
            return f'{table.where(row)}: column `{self.date_column}`'

        times, clock, notes = TimeCells(cells, where, self.date_format, self.timezone).read()
        wrong = np.flatnonzero(np.diff(times) <= np.timedelta64(0, 's'))
        if not len(wrong):
            return times, clock, notes
        self._refuse_several(table, times)
        row = int(wrong[0]) + 1
        same = np.flatnonzero(times[:row] == times[row])
        if len(same):
            raise DataError(
                f'{where(row)}: `{cells[row]}` occurs a second time, first in line '
                f'{table.lines[same[0]]}', hint=self._hint_for_repeated(table, times, clock))
        raise DataError(
            f'{where(row)}: `{cells[row]}` comes after `{cells[row - 1]}`',
            hint=f'sort the file by `{self.date_column}`, or set date_column=None if its rows '
            'are in order all the same')

    def _hint_for_repeated(self, table: CSVTable, times: np.ndarray, clock: Clock) -> str:
        for name in table.header:
            cells = table.column(name)
            if name == self.date_column or not looks_like_time(cells[0]):
                continue
            try:
                other = TimeCells(cells, table.where, None, self.timezone).read()[0]
            except DataError:
                continue
            if (np.diff(other) > np.timedelta64(0, 's')).all():
                return f'date_column={name!r} of the source: its times are all different'
        rows = np.flatnonzero(np.isin(times, times[:-1][np.diff(np.sort(times)).astype(int) == 0]))
        repeated = times[rows]
        hours = (repeated - repeated.astype('datetime64[D]')).astype('timedelta64[h]').astype(int)
        if clock.zone is None and len(rows) and (hours < 4).all() and hours.any():
            return "timezone='Europe/Berlin' of the source, say, if clocks were put back there; " \
                   'else keep one row for each time'
        return 'keep one row for each time; several series make one column each'

    def _refuse_several(self, table: CSVTable, times: np.ndarray | None,
                        named_so: bool = False) -> None:
        """Refuse series one below the other, and name the column that tells them apart."""
        if times is None or len(times) < 3:
            return
        seconds = np.diff(times).astype(np.int64)
        jumps = np.flatnonzero(seconds != np.median(seconds)) + 1
        columns = [(name, table.column(name)) for name in table.header if name != self.date_column]
        found = several_series(columns, times, jumps)
        if found is None or (named_so and not found.named_so):
            return
        if found.part_of_time:
            raise DataError(
                f'`{self.path}`: times in `{self.date_column}` repeat, and `{found.column}` seems '
                'to say more of them', hint='write both into one column, as 2024-03-31 13:00, and '
                'name it in date_column')
        shown = ', '.join(found.names[:3]) + (', ...' if len(found.names) > 3 else '')
        cells = table.column(found.column)
        end, first = cells.count(found.names[0]), ''
        if set(cells[:end]) == {found.names[0]}:
            first = f'; rows=(0, {end}) of the source reads `{found.names[0]}` alone'
        raise DataError(
            f'`{self.path}`: `{found.column}` names {len(found.names):,} series ({shown}) in one '
            'column', hint='give each series a column of its own, with one row for each time, or '
            f'a file of its own{first}')


def check_missing(missing: str) -> None:
    """Refuse a value of `missing` that means nothing."""
    if missing not in ('error', 'mask'):
        raise DataError(f"missing={missing!r}", hint="missing is 'error' or 'mask'")


def _plain(cells: list[str]) -> np.ndarray | None:
    """[T] float64 where all cells are numbers as Python writes them, else None."""
    if '_' in ''.join(cells):  # Python would pass over it
        return None
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        return None
