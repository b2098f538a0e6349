"""Whether the rows of a text file are in order of time, and what is wrong where they are not.

T rows.
"""

from dataclasses import dataclass

import numpy as np

from amlnn.data.series.clock import Clock
from amlnn.data.series.csv_panel import Members
from amlnn.data.series.csv_table import CSVTable
from amlnn.data.series.time_cells import TimeCells, looks_like_time
from amlnn.data.series.unmeant import SeveralSeries, in_turns, several_series
from amlnn.errors import DataError

__all__ = ['RowOrder', 'is_in_order']


@dataclass(frozen=True)
class RowOrder:
    """Looks at the times [T] of a table's rows.

    Raises:
        DataError: by what is called `check` or `refuse`: names the row, and what to do.
    """

    table: CSVTable
    resample: str | None
    """What becomes of rows at one time; None: they are refused."""
    timezone: str | None

    @property
    def column(self) -> str:
        """The column of the times."""
        return self.table.date_column

    def _where(self, row: int) -> str:
        return f'{self.table.where(row)}: column `{self.column}`'

    def check_rising(self, members: Members | None, times: np.ndarray, clock: Clock) -> None:
        """Refuse times that do not rise within a series."""
        least = np.timedelta64(0 if self.resample else 1, 's')
        wrong = np.diff(times) < least
        if members:
            wrong[members.bounds[1:-1] - 1] = False
        wrong = np.flatnonzero(wrong)
        if not len(wrong):
            return
        if not members:
            self.refuse_several(times)
            return self.refuse_unsorted(times, clock)
        row = int(wrong[0]) + 1
        cells, name = self.table.column(self.column), members.ids[members.of_rows[row]]
        first = members.bounds[members.of_rows[row]]
        where = self._where(row)
        same = np.flatnonzero(times[first:row] == times[row])
        if len(same):
            raise DataError(
                f'{where}: `{cells[row]}` occurs a second time in series `{name}`, first in line '
                f'{self.table.lines[first + same[0]]}',
                hint="keep one row for each time of a series; id_column=['store', 'product'], "
                "say, where two columns name a series; or resample='sum' (or 'mean') of the source")
        raise DataError(f'{where}: `{cells[row]}` comes after `{cells[row - 1]}` in series '
                        f'`{name}`', hint=f'sort the file by `{self.column}`')

    def refuse_unsorted(self, times: np.ndarray, clock: Clock | None = None) -> None:
        """Refuse times of one series of which one comes again, or after a later one."""
        cells = self.table.column(self.column)
        row = int(np.flatnonzero(np.diff(times) <= np.timedelta64(0, 's'))[0]) + 1
        where = self._where(row)
        same = np.flatnonzero(times[:row] == times[row])
        if len(same):
            if self.resample and (np.diff(times) >= np.timedelta64(0, 's')).all():
                return
            raise DataError(
                f'{where}: `{cells[row]}` occurs a second time, first in line '
                f'{self.table.lines[same[0]]}',
                hint=self._hint_for_repeated(times, clock or Clock()))
        raise DataError(
            f'{where}: `{cells[row]}` comes after `{cells[row - 1]}`',
            hint=f'sort the file by `{self.column}`, or set date_column=None if its rows '
            'are in order all the same')

    def refuse_repeated(self, times: np.ndarray) -> None:
        """Refuse to take for one series what has most of its times twice or more."""
        counts = np.unique(times, return_counts=True)[1]
        if (counts > 1).mean() <= 0.5:
            return
        raise DataError(
            f'`{self.table.path}`: most times in `{self.column}` occur more than once, '
            f'{len(times):,} rows at {len(counts):,} times, and no column tells their series apart',
            hint="id_column=['store', 'product'] of the source, say, names the columns that do so; "
            f'id_column=None makes one series of all, their {self.resample} (resample)')

    def find_several(self, times: np.ndarray | None) -> SeveralSeries | None:
        """The column that tells series apart, if there is one."""
        if times is None or len(times) < 3:
            return None
        seconds = np.diff(times).astype(np.int64)
        jumps = np.flatnonzero(seconds != np.median(seconds)) + 1
        return several_series(self.other_columns(), times, jumps)

    def other_columns(self) -> list[tuple[str, list[str]]]:
        """Names and cells of all columns but the times."""
        return [(name, self.table.column(name)) for name in self.table.header
                if name != self.column]

    def refuse_several(self, times: np.ndarray | None, named_so: bool = False) -> None:
        """Refuse series one below the other, and name the column that tells them apart."""
        found = self.find_several(times)
        if found is None and not named_so and times is not None and is_in_order(times):
            self._refuse_turns(times)
        if found is None or (named_so and not found.named_so):
            return
        if found.part_of_time:
            raise DataError(
                f'`{self.table.path}`: times in `{self.column}` repeat, and `{found.column}` '
                'seems to say more of them',
                hint='write both into one column, as 2024-03-31 13:00, and name it in date_column')
        shown = ', '.join(found.names[:3]) + (', ...' if len(found.names) > 3 else '')
        raise DataError(
            f'`{self.table.path}`: `{found.column}` names {len(found.names):,} series ({shown}) in '
            'one column',
            hint=f'id_column={found.column!r} of the source reads each as a series of its own')

    def _refuse_turns(self, times: np.ndarray) -> None:
        found = in_turns(self.other_columns(), times, surely=False)
        if found is None:
            return
        raise DataError(
            f'`{self.table.path}`: `{found.column}` names {len(found.names):,} things in turn '
            f'({", ".join(found.names[:3])}{", ..." * (len(found.names) > 3)}): is each a series?',
            hint=f'id_column={found.column!r} of the source reads them so; columns=[...], without '
            f'`{found.column}`, makes one series of all')

    def _hint_for_repeated(self, times: np.ndarray, clock: Clock) -> str:
        for name in self.table.header:
            cells = self.table.column(name)
            if name == self.column or not looks_like_time(cells[0]):
                continue
            try:
                other = TimeCells(cells, self.table.where, None, self.timezone).read()[0]
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
        return 'keep one row for each time; where rows are of several series, id_column of the ' \
               'source is the column that tells them apart'


def is_in_order(times: np.ndarray) -> bool:
    """Whether none of the times [T] comes after a later one."""
    return bool((np.diff(times) >= np.timedelta64(0, 's')).all())
