"""A series in a text file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.series.clock import Clock, find_zone
from amlnn.data.series.csv_columns import AUTO, conclude_date_column
from amlnn.data.series.csv_missing import check_missing, check_missing_cells
from amlnn.data.series.csv_order import RowOrder, is_in_order
from amlnn.data.series.csv_panel import (
    Members,
    constant_columns,
    divide,
    read_times,
    static_values,
)
from amlnn.data.series.csv_table import NO_NAME, CSVTable
from amlnn.data.series.gaps import check_gaps, lay_on_grid
from amlnn.data.series.number_cells import (
    NumberStyle,
    conclude_style,
    looks_like_number,
    plain_numbers,
    unit_of,
)
from amlnn.data.series.resampling import check_way, is_about, resample
from amlnn.data.series.series import Series
from amlnn.data.series.time_cells import TimeCells, looks_like_time
from amlnn.data.series.time_grid import TimeGrid
from amlnn.data.series.unmeant import in_turns, is_one_word, telling_pair, unmeant
from amlnn.errors import DataError
from amlnn.suggest import did_you_mean

__all__ = ['CSVSeries']


@DATASETS.register_module()
class CSVSeries:
    """A series in a text file: a line of column names, then a row a line, in order of time.

    Or several, one below the other or mixed, that a column tells apart (long format).

    What is not given is concluded from the whole file and said in the series' notes, or refused
    where the file leaves it open. Columns that count rows, have no name, hold ids or repeat the
    date are read, and taken only where `columns`, or the windows' `targets`, names them.

    Args:
        path: The file.
        date_column: Name of the column with the times, None if there is none; 'Unnamed: 0' is the
            first one where it has no name, 'auto' to find it out. Times are ISO 8601 (`2016-07-01`,
            `2016-07-01 13:00`, `20160701T1300`, `2016-07`, `2016`, `2016-W26`, also with `/` for
            `-`), `31.12.2016`, `2016Q3`, `Jul 2016`, or seconds since 1970. Their offsets are kept.
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
        id_column: Column that names the series a row is of, or several whose cells do so together;
            None for one series, 'auto' to find out whether there is such a column.
        static: Columns that are the same in all rows of a series, numbers or words; None for those
            that are so (with `id_column`), an empty list for none.
        resample: What is done with rows at uneven times: None to refuse them, or 'mean', 'sum' or
            'last' of those in one `step`.

    Raises:
        DataError: the file is not there, or a cell is wrong; its line and column are named.
    """

    def __init__(self, path: str, date_column: str | None = 'date',
                 columns: Sequence[str] | None = None, rows: Sequence[int] | None = None,
                 missing: str = 'error', date_format: str | None = None,
                 delimiter: str | None = None, decimal: str | None = None,
                 thousands: str | None = None, encoding: str | None = None,
                 timezone: str | None = None, gaps: str = 'error', step: str | None = None,
                 skip_lines: int = 0, id_column: str | Sequence[str] | None = None,
                 static: Sequence[str] | None = None, resample: str | None = None):
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
        check_way(resample)
        if isinstance(static, str):
            raise DataError(f'static is the text `{static}`', hint=f'static=[{static!r}]')
        if static and not id_column:
            raise DataError(f'static={list(static)}, and there is no id_column',
                            hint="id_column='store' of the source, say, tells series apart")
        if date_column is None and resample:
            raise DataError(f'resample={resample!r}, and date_column=None reads no times',
                            hint='name the column with the times, or leave it out')
        self.id_columns = [id_column] if isinstance(id_column, str) else list(id_column or ())
        self.static = None if static is None else list(static)
        self.resample = resample
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
        series = self.read_open()
        if series.doubt:
            raise series.doubt
        return series

    def read_open(self) -> Series:
        """The same of a file whose last rows may be to come: what is wrong with them is its doubt.
        """
        rows, order = self._read()
        series = resample(rows, self.resample, self.grid) if self.resample else rows
        try:
            laid = lay_on_grid(series, self.gaps, self.grid)
        except DataError:
            if not rows.ids:
                order.refuse_several(rows.times)
            raise
        if not rows.ids and len(laid.values) > len(series.values):
            order.refuse_several(rows.times, named_so=True)
        return laid

    def read_rows(self, grid: TimeGrid | None = None) -> Series:
        """The rows of the file, whether or not some are missing.

        Args:
            grid: Where rows at uneven times are brought to one step, that step; None for `step`, or
                the usual one. Of rows that are in quite another step it is not taken, unless `step`
                says so: a mean of 24 hours is no sum of a day.
        """
        series = self._read()[0]
        if not self.resample:
            return series
        if grid and not self.grid and not is_about(series, grid):
            grid = None
        return resample(series, self.resample, grid or self.grid)

    def _read(self) -> tuple[Series, RowOrder]:
        date_column = self.date_column
        if date_column == AUTO:
            date_column = conclude_date_column(self.path, self.encoding, self.delimiter,
                                               self.skip_lines)
        table = CSVTable(self.path, date_column, self.columns, self.rows, self.delimiter,
                         self.encoding, self.skip_lines).read()
        if self.date_column == AUTO:
            table.notes.append(f'`{date_column}` holds the times' if date_column else
                               'no column holds times: rows are counted')
        order = RowOrder(table, self.resample, self.timezone)
        times, clock = None, Clock()
        members, notes = self._members(table), table.notes
        if date_column is not None:
            times, clock, said = self._times(table, order, members)
            notes = notes + said
            if self.id_columns == [AUTO]:
                members = self._conclude_members(table, order, times, notes)
                if members:
                    times = self._times(table, order, members)[0]
        names = self._choose(table, notes, members)
        static = self._take_static(table, members, names, notes)
        plain = {name: plain_numbers(table.column(name)) for name in names}
        try:
            style, written = self._style(table, plain)
            numbers = {name: self._numbers(table, name, style, plain[name]) for name in names}
        except DataError:  # a word in a column may be the name of a series
            if not members and times is not None:
                order.refuse_several(times)
            raise
        aside, why = self._set_aside(numbers, members,
                                     None if times is None else clock.wall(times))
        notes = [*notes, *filter(None, [written]), *why]
        names = [name for name in names if name not in aside]
        doubt = None if self.missing == 'mask' else check_missing_cells(
            table, members, {name: numbers[name] for name in names})
        values = np.stack([numbers[name] for name in names], axis=1)
        if members:
            static = {name: static_values(table, members, name, style.number) for name in static}
            panel = dict(ids=members.ids, id_columns=list(self.id_names), bounds=members.bounds,
                         static=static)
        series = Series(values, ~np.isnan(values), names, times, clock=clock, aside=aside,
                        notes=notes, path=str(self.path), lines=table.lines,
                        doubt=doubt, **(panel if members else {}))
        return series, order

    def _members(self, table: CSVTable) -> Members | None:
        if not self.id_columns or self.id_columns == [AUTO]:
            return None
        return divide(table, self.id_columns)

    def _conclude_members(self, table: CSVTable, order: RowOrder, times: np.ndarray,
                          notes: list[str]) -> Members | None:
        """The series that a column tells apart, where times do not simply rise."""
        names, rises = [], (np.diff(times) > np.timedelta64(0, 's')).all()
        if not rises:
            found = order.find_several(times)
            names = [] if found is None or found.part_of_time else [found.column]
            names = telling_pair(order.other_columns(), times, names) or names
        if not names and is_in_order(times):
            turns = in_turns(order.other_columns(), times)
            names = [turns.column] if turns else []
        if rises and not names:
            return None
        if not names:
            order.refuse_unsorted(times)
            order.refuse_repeated(times)
            return None
        members = divide(table, names)
        together = ' and '.join(f'`{name}`' for name in names)
        verb = 'names' if len(names) == 1 else 'name'
        notes.append(f'{together} {verb} {len(members.ids):,} series, one below the other')
        self._found_id = names
        return members

    def _take_static(self, table: CSVTable, members: Members | None, names: list[str],
                     notes: list[str]) -> list[str]:
        """Names of static columns, which are taken out of `names`."""
        if not members:
            return []
        found = self.static
        if found is None:
            found = constant_columns(table, members, names) if self.columns is None else []
            found = found if len(found) < len(names) else found[:-1]
            if found:
                notes.append(f'static, the same in all rows of a series: {", ".join(found)}')
        for name in found:
            if name not in table.header:
                raise DataError(f'`{self.path}`: no column `{name}`, static in each series',
                                hint=did_you_mean(name, table.header)
                                or f'it has {", ".join(table.header)}')
        names[:] = [name for name in names if name not in found]
        return found

    def _choose(self, table: CSVTable, notes: list[str], members: Members | None) -> list[str]:
        """Columns of numbers; of all but the times, not those without name and number."""
        if self.columns is not None:
            return list(self.columns)
        taken = {table.date_column, *(self.id_names if members else ())}
        names = [name for name in table.header if name not in taken
                 and not (name.startswith(NO_NAME)
                          and not any(map(looks_like_number, table.column(name))))]
        for name in list(names):
            cells = table.column(name)
            if looks_like_time(cells[0]) and looks_like_time(cells[-1]):
                names.remove(name)
                notes.append(f'`{name}` holds times too, and is left out')
            elif is_one_word(cells):
                names.remove(name)
                notes.append(f'`{name}` is `{cells[0]}` in all rows, and is left out')
        if not names:
            raise DataError(f'`{self.path}` has no column of numbers',
                            hint='columns chooses them; date_column=None if there are no times')
        return names

    @property
    def id_names(self) -> list[str]:
        """Columns that tell the series of the file apart; after it was read."""
        return self._found_id if self.id_columns == [AUTO] else self.id_columns

    def _set_aside(self, numbers: dict[str, np.ndarray], members: Members | None,
                   wall: np.ndarray | None) -> tuple[dict[str, np.ndarray], list[str]]:
        """Columns that nobody means to forecast, and a note for each; never all."""
        if self.columns is not None:
            return {}, []
        rows = slice(None)
        if members:  # the longest series stands for all
            longest = int(np.diff(members.bounds).argmax())
            rows = slice(*members.bounds[longest:longest + 2])
        why = {name: unmeant(name, values[rows], None if wall is None else wall[rows])
               for name, values in numbers.items()}
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
            table.date_column, name) and looks_like_number(table.column(other)[row])]
        raise DataError(
            f'{table.where(row)}: column `{name}` holds `{cell}`, {what}',
            hint=f'{hint}columns={good[:8] or "[...]"}{" ..." * (len(good) > 8)}')

    def _times(self, table: CSVTable, order: RowOrder,
               members: Members | None) -> tuple[np.ndarray, Clock, list[str]]:
        """[T] datetime64[s], strictly rising in a series; their clock; what was concluded."""
        column = table.date_column

        def where(row: int) -> str:
            return f'{table.where(row)}: column `{column}`'

        if members:
            times, clock, notes = read_times(table, members, column, self.date_format,
                                             self.timezone, where)
        else:
            times, clock, notes = TimeCells(table.column(column), where, self.date_format,
                                            self.timezone).read()
        # Where series are still to be told apart, what tells them apart is looked for next.
        if members or self.id_columns != [AUTO]:
            order.check_rising(members, times, clock)
        return times, clock, notes
