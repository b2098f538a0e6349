"""Series of numbers in time.

A source is a registered class with `read() -> Series`; `SeriesWindows` builds it from its `source`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from amlnn.data.series.clock import Clock
from amlnn.data.series.time_grid import TimeGrid
from amlnn.errors import DataError
from amlnn.suggest import did_you_mean

__all__ = ['MASK_HINT', 'Series', 'guess_season']

MASK_HINT = "fill it in, or set missing='mask': models then leave out what is missing"
# Seconds of a step, and how many of them make the cycle that people and weather follow.
_BY_ROW = ('values', 'observed', 'times', 'truth', 'lines')
_SEASONS = {60: 1440, 300: 288, 600: 144, 900: 96, 1800: 48, 3600: 24, 86400: 7}


@dataclass
class Series:
    """One or several columns of numbers, row by row in time.

    A panel is several series of the same columns, one below the other; S is their number.

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
    """[T] datetime64[s], strictly rising within a series, or None; in UTC where `clock` has a
    zone."""
    truth: np.ndarray | None = None
    """[T, C] float64, the signal without noise, where it is known."""
    clock: Clock = field(default_factory=Clock)
    """The zone of the times, and how they are written."""
    grid: TimeGrid | None = None
    """What the times lie on, row by row; None where that was not looked at."""
    aside: dict[str, np.ndarray] = field(default_factory=dict)
    """[T] float64 by name: columns that count only where they are asked for, NaN where missing."""
    notes: list[str] = field(default_factory=list)
    """What was concluded from the file, a sentence each."""
    path: str = ''
    """The file."""
    lines: np.ndarray | None = None
    """[T] int64, the line of the file that each row is from, 0 for one that is not in it."""
    ids: list[str] = field(default_factory=list)
    """The S names of a panel; none for one series."""
    id_columns: list[str] = field(default_factory=list)
    """Columns of the file that name them."""
    bounds: np.ndarray | None = None
    """[S + 1] int64: series s is rows bounds[s] to bounds[s + 1]; None for one series."""
    static: dict[str, np.ndarray] = field(default_factory=dict)
    """By name, what stays as it is in each series, [S]: float64, or text."""
    doubt: DataError | None = None
    """What is wrong with the last rows, unless they are the future of known columns."""

    def __post_init__(self):
        self.values = np.asarray(self.values, dtype=np.float64)
        shape = self.values.shape
        if self.bounds is None:
            self.bounds = np.array([0, len(self.values)])
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
                            f'{self.values[row, column]} is not a finite number', hint=MASK_HINT)
        if not self.observed.all():
            self.values = np.where(self.observed, self.values, np.nan)

    @property
    def step_seconds(self) -> float | None:
        """The usual distance of two rows in seconds (the median), None without times."""
        if self.times is None or len(self.times) - len(self.bounds) + 1 < 1:
            return None
        return float(np.median(self.seconds_apart()))

    def seconds_apart(self) -> np.ndarray:
        """int64, seconds from each row to the next one of the same series."""
        seconds = np.diff(self.times).astype('timedelta64[s]').astype(np.int64)
        return np.delete(seconds, self.bounds[1:-1] - 1) if self.ids else seconds

    @property
    def series_of_rows(self) -> np.ndarray:
        """[T] int64, the place of each row's series."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))

    def member(self, place: int) -> 'Series':
        """One series of a panel, without notes."""
        rows = slice(*self.bounds[place:place + 2])
        return replace(self, **self.cut(rows), ids=[], bounds=None, static={}, notes=[])

    def members(self, places: Sequence[int]) -> 'Series':
        """A panel of some of the series, in this order."""
        rows = np.concatenate([np.arange(*self.bounds[place:place + 2]) for place in places])
        lengths = np.diff(self.bounds)[places]
        return replace(self, **self.cut(rows), ids=[self.ids[place] for place in places],
                       bounds=np.concatenate([[0], np.cumsum(lengths)]),
                       static={name: values[places] for name, values in self.static.items()})

    def joined(self, members: Sequence['Series']) -> 'Series':
        """This panel with other rows in its series."""
        def one_below_the_other(name):
            parts = [getattr(each, name) for each in members]
            return None if parts[0] is None else np.concatenate(parts)

        lengths = [len(each.values) for each in members]
        return replace(
            self, **{name: one_below_the_other(name) for name in _BY_ROW},
            aside={name: np.concatenate([each.aside[name] for each in members])
                   for name in self.aside}, bounds=np.concatenate([[0], np.cumsum(lengths)]))

    def cut(self, rows: slice | np.ndarray) -> dict:
        """What is by row, of these rows alone."""
        return {name: None if getattr(self, name) is None else getattr(self, name)[rows]
                for name in _BY_ROW} | {
            'aside': {name: values[rows] for name, values in self.aside.items()}}

    def name_of(self, row: int) -> str:
        """Which series of a panel a row is of, for a message; nothing for one series."""
        return f', series `{self.ids[self.series_of_rows[row]]}`' if self.ids else ''

    @property
    def season(self) -> int | None:
        """Rows in the usual cycle of this step, None where nothing is usual."""
        if self.grid and self.grid.unit == 'weekday':
            return self.grid.days.count('1')
        if self.grid and self.grid.unit == 'daytime':
            return self.grid.per_day
        return guess_season(self.step_seconds)

    def select(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Values [T, names] and what of them was observed, also of columns that are aside.

        Raises:
            DataError: there is no such column.
        """
        for name in names:
            if name not in self.columns and name not in self.aside:
                whose = f'`{self.path}`' if self.path else 'the series'
                raise DataError(f'{whose} has no column `{name}`',
                                hint=did_you_mean(name, [*self.columns, *self.aside])
                                or f'it has {", ".join(self.columns)}')
        if not set(names) & self.aside.keys():
            places = [self.columns.index(name) for name in names]
            return self.values[:, places], self.observed[:, places]
        values = np.stack([self.aside[name] if name in self.aside else
                           self.values[:, self.columns.index(name)] for name in names], axis=1)
        return values, ~np.isnan(values)

    def where(self, row: int) -> str:
        """The place of a row for a message: its file and line, or its number."""
        if self.lines is not None and self.lines[row]:
            return f'`{self.path}:{self.lines[row]}`'
        return f'`{self.path}`: row {row}' if self.path else f'row {row}'

    def shown(self, row: int) -> str:
        """The time of a row for a message."""
        return self.clock.written(self.times[row:row + 1])[0]

    def spread(self, positions: np.ndarray, times: np.ndarray) -> 'Series':
        """The same rows further apart, with rows between them in which nothing was observed.

        Args:
            positions: [T] int64, rising: where each row goes.
            times: [positions[-1] + 1] datetime64[s], of all rows.
        """
        def laid(values, empty):
            if values is None:
                return None
            wide = np.full((len(times), *np.shape(values)[1:]), empty, dtype=values.dtype)
            wide[positions] = values
            return wide

        lines = np.arange(1, 1 + len(self.values)) if self.lines is None else self.lines
        return replace(
            self, values=laid(self.values, np.nan), observed=laid(self.observed, False),
            times=times, truth=laid(self.truth, np.nan), lines=laid(lines, 0), bounds=None,
            aside={name: laid(values, np.nan) for name, values in self.aside.items()})


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
