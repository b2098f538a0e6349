"""Windows of a series in chronological parts, taken by index.

Axes: T rows of the series, N windows, B windows of a batch, L look-back, P horizon, C target
columns, E extra input columns, F = C + E.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

import numpy as np
import torch
from mmengine.registry import DATASETS
from torch import Tensor

from amlnn.config.kind import PARTS
from amlnn.data.series.csv_table import NO_NAME
from amlnn.data.series.overlap import OverlapReport, find_copies
from amlnn.data.series.scaling import StandardScaler
from amlnn.data.series.series import Series
from amlnn.data.series.time_grid import infer_grid
from amlnn.errors import DataError

__all__ = ['SeriesWindows', 'check_end', 'split_borders']

_NAMES = {'train': 'training', 'val': 'validation', 'test': 'test'}


def split_borders(rows: int, ratios: Sequence[float]) -> tuple[int, int, int]:
    """Where the training, validation and test part of a series end.

    Training and test part are rounded down, what is left over belongs to validation, or to the
    training part if there is no validation. Ratios are read as the decimals they print as.

    Args:
        rows: Length of the series.
        ratios: Shares of the three parts, which sum to 1.

    Raises:
        DataError: there are not three shares, one is negative, or their sum is not 1.

    >>> split_borders(17420, (0.7, 0.1, 0.2))
    (12194, 13936, 17420)
    """
    if len(ratios) != 3 or min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-6:
        raise DataError(f'ratios={tuple(ratios)} are not three shares that sum to 1',
                        hint='ratios=(0.7, 0.1, 0.2): training, validation, test')
    train, val, test = (Fraction(str(ratio)) for ratio in ratios)
    val_end = rows - int(rows * test)
    return (int(rows * train) if val else val_end), val_end, rows


@DATASETS.register_module()
class SeriesWindows:
    """All windows of one part of a series: `look_back` rows of input, `horizon` rows of targets.

    A window belongs to the part in which all its target rows lie; its input may reach back over
    the border into the part before. The scaler is fitted on the training rows, whatever the part.
    Values are kept once, windows are views of them. In memory a batch is [B, column, L].

    A batch is a dict: `inputs` float32 [B, L, C + E], targets first, 0 where missing; `targets`
    float32 [B, P, C]; `index` int64 [B], the windows' numbers; and if the series has missing values
    anywhere, `observed` bool [B, L, C + E] and `target_observed` bool [B, P, C].

    Args:
        source: The series: a dict that DATASETS builds, or an object with `read()`.
        look_back: Rows of input.
        horizon: Rows of targets.
        split: 'train', 'val' or 'test'.
        borders: Rows at which training, validation and test part end; rows after the last are not
            used. None for `ratios`.
        ratios: Shares of the three parts, where there are no borders.
        stride: Rows from one window of this part to the next.
        targets: Columns to forecast, None for all that are not extra, less those that count rows,
            hold ids or repeat the date (the notes name them).
        extra: Columns that are input only.
        scale: False leaves values as they are.
        season: Rows of the main cycle; None to guess it from the distance of the rows in time.
        scaler: `StandardScaler.to_dict()` of a checkpoint, which then counts instead of the
            training rows.

    Raises:
        DataError: no window fits into a part, a column is not there, or does not change in the
            training part, the last rows have no target, or a column has no name and `targets`
            does not say whether it is one.
    """

    kind = 'forecasting'
    loader = ('amlnn.data.series.window_loader', 'WindowLoader')
    smallest: ClassVar = {'look_back': 1, 'horizon': 1, 'stride': 1}
    builds: ClassVar = {'source': 'DATASETS'}

    def __init__(self, source: dict, look_back: int, horizon: int, split: str,
                 borders: Sequence[int] | None = None,
                 ratios: Sequence[float] = (0.7, 0.1, 0.2), stride: int = 1,
                 targets: Sequence[str] | None = None, extra: Sequence[str] = (),
                 scale: bool = True, season: int | None = None, scaler: dict | None = None):
        if split not in PARTS:
            raise DataError(f'`{split}` is not a part of a series',
                            hint=f'one of {", ".join(PARTS)}')
        sizes = dict(look_back=look_back, horizon=horizon, stride=stride,
                     season=1 if season is None else season)
        for name, value in sizes.items():
            if not isinstance(value, int) or value < 1:
                raise DataError(f'{name}={value!r} is not a whole number of rows above 0',
                                hint=f'{name}=24, say')
        series = (source if hasattr(source, 'read') else DATASETS.build(source)).read()
        self.look_back, self.horizon, self.split, self.stride = look_back, horizon, split, stride
        self.times, self._step_seconds = series.times, series.step_seconds
        self._clock = series.clock
        self._grid = series.grid if series.times is None or series.grid \
            else infer_grid(series.times, series.clock)
        self.season = season or series.season
        self.borders = _check_borders(len(series.values), borders, ratios)
        self._starts = {part: self._find_starts(part) for part in PARTS}
        if not len(self._starts[split]):
            raise DataError(f'the {_NAMES[split]} part has no row',
                            hint=f'the parts end at rows {self.borders}: see ratios and borders')

        self.columns, self.extra_columns = _choose(series, targets, extra)
        names = [*self.columns, *self.extra_columns]
        values, observed = series.select(names)
        if series.truth is None:  # of a generated series the end is known, a gap or not
            check_end(series, observed[:, :len(self.columns)])
        self._notes = list(series.notes)
        train_end = self.borders[0]
        self.scaler = StandardScaler.identity(len(names))
        if scaler is not None:
            self.scaler = StandardScaler.from_dict(scaler)
        elif scale:
            self.scaler = StandardScaler.fit(values[:train_end], observed[:train_end],
                                             names)
        scaled = np.where(observed, self.scaler.transform(values), 0)
        # Column by column: a window is then copied in long runs, and a model that treats columns as
        # series of their own folds them into its batch without another copy.
        self._values = torch.from_numpy(np.ascontiguousarray(scaled.T, dtype=np.float32))
        self._observed = None if observed.all() else torch.from_numpy(observed.T.copy())
        self._truth = self._scale_truth(series)
        self._inputs, self._targets = self._views(self._values)
        if self._observed is not None:
            self._input_observed, self._target_observed = self._views(self._observed)

    @property
    def metainfo(self) -> dict:
        """What a model and its checkpoint need to know, in plain lists and numbers.

        `scaler` holds the targets' columns, then the extra ones; `step` is the name of the time
        grid, `step_seconds` the usual distance of two rows; these and `season` are None where they
        are not known.
        """
        return dict(kind='series', columns=list(self.columns),
                    extra_columns=list(self.extra_columns), scaler=self.scaler.to_dict(),
                    look_back=self.look_back, horizon=self.horizon,
                    step=self._grid and self._grid.name, step_seconds=self._step_seconds,
                    season=self.season)

    @property
    def notes(self) -> list[str]:
        """What was concluded from the file, a sentence each: its step first."""
        if self._grid is None:
            return list(self._notes)
        first, last = self._clock.written(self.times[[0, -1]])
        return [f'{len(self.times):,} rows from {first} to {last}, step: {self._grid.name}',
                *self._notes]

    def time_names(self, rows: np.ndarray) -> list[str]:
        """What rows of the series are called: their times with the offset, else their numbers."""
        if self.times is None:
            return [str(row) for row in rows]
        if self._clock.zone is None:
            return self.times[rows].astype(str).tolist()
        return self._clock.written(self.times[rows])

    def __len__(self) -> int:
        return len(self._starts[self.split])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Window `index` as a batch of one."""
        if not -len(self) <= index < len(self):
            raise IndexError(f'window {index} of {len(self)}')
        return self.__getitems__([index % len(self)])

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """The batch of these windows."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        # A number that is out of range would be a window of another part.
        if len(index) and not (index.min() >= 0 and index.max() < len(self)):
            raise IndexError(f'windows {int(index.min())} to {int(index.max())} of {len(self)}')
        rows = self._start_row + index * self.stride
        ahead = rows + self.look_back
        batch = {'inputs': _take(self._inputs, rows), 'targets': _take(self._targets, ahead),
                 'index': index}
        if self._observed is not None:
            batch['observed'] = _take(self._input_observed, rows)
            batch['target_observed'] = _take(self._target_observed, ahead)
        return batch

    @property
    def training_values(self) -> np.ndarray:
        """[train rows, C] float64, scaled targets of the training part, NaN where missing."""
        return self.scaled_targets(0, self.borders[0])

    def scaled_targets(self, first: int, stop: int) -> np.ndarray:
        """[stop - first, C] float64, scaled target columns of these rows, NaN where missing."""
        part = slice(0, len(self.columns)), slice(first, stop)
        values = self._values[part].numpy().T.astype(np.float64)
        if self._observed is not None:
            values[~self._observed[part].numpy().T] = np.nan
        return values

    def window_start_rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """[B] int64, the row of the series at which the input of each window begins."""
        return self._starts[self.split][np.asarray(indices)]

    def target_truth(self, indices: Sequence[int] | np.ndarray) -> np.ndarray | None:
        """[B, P, C] float64, scaled noise-free targets, None where they are not known."""
        if self._truth is None:
            return None
        view = np.lib.stride_tricks.sliding_window_view(self._truth, self.horizon, axis=0)
        return view[self.window_start_rows(indices) + self.look_back].swapaxes(1, 2)

    def overlap(self) -> OverlapReport:
        """Find test windows, input and targets together, that also lie in the training part.

        Only the target columns are compared: a column that counts days hides no copy. Windows that
        hold one row throughout are left out, as a sensor that stands still repeats itself.
        """
        count = len(self.columns)
        rows = self._values[:count].numpy().T
        if self._observed is not None:
            rows = np.concatenate([rows, self._observed[:count].numpy().T], axis=1)
        return find_copies(rows, self._starts['test'], self.look_back + self.horizon,
                           self.borders[0])

    def _find_starts(self, part: str) -> np.ndarray:
        """[N] int64, rows at which the windows of a part begin."""
        place = PARTS.index(part)
        begin, end = (0, *self.borders)[place:place + 2]
        first = max(begin, self.look_back)
        if begin == end and part != 'train':
            return np.empty(0, dtype=np.int64)
        if first + self.horizon > end:
            reach = '' if part == 'train' else ', whose targets lie in the part,'
            raise DataError(
                f'the {_NAMES[part]} part has {end - begin} rows ({begin} to {end - 1}): no window '
                f'of look_back {self.look_back} + horizon {self.horizon} = '
                f'{self.look_back + self.horizon} rows{reach} fits',
                hint='shorten look_back or horizon, take a longer series, or give the part more '
                'rows (ratios, borders)')
        stride = self.stride if part == self.split else 1
        return np.arange(first, end - self.horizon + 1, stride, dtype=np.int64) - self.look_back

    @property
    def _start_row(self) -> int:
        return int(self._starts[self.split][0])

    def _views(self, values_FT: Tensor) -> tuple[Tensor, Tensor]:
        """[row, column, L or P]: the input and the target of a window that begins at each row."""
        targets = values_FT[:len(self.columns)]
        return (values_FT.unfold(1, self.look_back, 1).transpose(0, 1),
                targets.unfold(1, self.horizon, 1).transpose(0, 1))

    def _scale_truth(self, series: Series) -> np.ndarray | None:
        if series.truth is None:
            return None
        count = len(self.columns)
        scaler = StandardScaler(self.scaler.mean[:count], self.scaler.deviation[:count])
        return scaler.transform(
            series.truth[:, [series.columns.index(name) for name in self.columns]])


def _take(view: Tensor, rows: Tensor) -> Tensor:
    """[B, L or P, column] of the windows that begin at these rows."""
    return view.index_select(0, rows).transpose(1, 2)


def _check_borders(rows: int, borders: Sequence[int] | None,
                   ratios: Sequence[float]) -> tuple[int, int, int]:
    if borders is None:
        return split_borders(rows, ratios)
    borders = tuple(borders)
    if len(borders) != 3 or list(borders) != sorted(borders) or borders[0] < 1:
        raise DataError(f'borders={borders} are not the rows at which training, validation and '
                        'test part end', hint='borders=(8640, 11520, 14400), say')
    if borders[2] > rows:
        raise DataError(f'borders={borders}: the series has {rows} rows',
                        hint='shift the borders, or give ratios')
    return borders


def check_end(series: Series, observed: np.ndarray) -> None:
    """Refuse last rows in which no target was observed: they are the future, and no history.

    Args:
        series: For messages.
        observed: [T, C] bool, of the targets.

    Raises:
        DataError: counts the rows, and names the first.
    """
    known = np.flatnonzero(observed.any(axis=1))
    count = len(observed) - (known[-1] + 1 if len(known) else 0)
    if not count or not len(known):
        return
    first = len(observed) - count
    when = '' if series.times is None else f' (`{series.shown(first)}` on)'
    several = f'the last {count:,} rows have' if count > 1 else 'the last row has'
    raise DataError(f'{series.where(first)}: {several} no value of what is forecast{when}',
                    hint='take rows of the future out of the file, or leave them out with '
                    f'rows=(0, {first}) of the source: a forecast begins after the last row')


def _choose(series: Series, targets: Sequence[str] | None,
            extra: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of targets and extra columns."""
    for name, value in (('targets', targets), ('extra', extra)):
        if isinstance(value, str):
            raise DataError(f'{name} is the text `{value}`', hint=f'{name}=[{value!r}]')
    extra = list(extra)
    if targets is None:
        targets = [name for name in series.columns if name not in extra]
        nameless = [name for name in series.aside
                    if name.startswith(NO_NAME) and name not in extra]
        if nameless:
            raise DataError(
                f'`{series.path}`: column `{nameless[0]}` has no name: is it meant to be forecast?',
                hint=f'targets={targets} leaves it out, or columns=... of the source; pandas '
                'writes row numbers there, without index=False')
    names = [*targets, *extra]
    for name in names:
        series.select([name])
        if names.count(name) > 1:
            raise DataError(f'column `{name}` is chosen twice',
                            hint='a column is a target or extra, once')
    if not targets:
        raise DataError('no column is left to forecast',
                        hint='targets names columns that are not extra')
    return list(targets), extra
