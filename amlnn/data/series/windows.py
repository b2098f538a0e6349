"""Windows of one or many series in chronological parts, taken by index.

Axes: S series, T rows of all of them, N windows, B windows of a batch, L look-back, P horizon, C
target columns, E extra input columns, K known ones, F = C + E + K.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from mmengine.registry import DATASETS
from torch import Tensor

from amlnn.config.kind import PARTS
from amlnn.data.series.chosen import (
    check_all_end,
    check_end,
    choose_columns,
    conclude_known,
    without_future,
)
from amlnn.data.series.csv_columns import AUTO
from amlnn.data.series.cycles import check_cycle, conclude_cycle, known_cycles, positions_of
from amlnn.data.series.known import KnownColumns
from amlnn.data.series.overlap import OverlapReport, find_copies
from amlnn.data.series.parts import PART_NAMES, Division, divide
from amlnn.data.series.past_ends import trained_until
from amlnn.data.series.scaling import SeriesScaler, StandardScaler, fit_scaler
from amlnn.data.series.series import Series
from amlnn.data.series.sizes import check_sizes, conclude_sizes, with_calendar
from amlnn.data.series.time_grid import infer_grid
from amlnn.errors import DataError

__all__ = ['SeriesWindows']


@DATASETS.register_module()
class SeriesWindows:
    """All windows of one part of a series: `look_back` rows of input, `horizon` rows of targets.

    A window belongs to the part in which all its target rows lie; its input may reach back over
    the border into the part before. The scaler is fitted on the training rows, whatever the part.
    Values are kept once, windows are views of them. In memory a batch is [B, column, L].

    Of a panel every series has its own parts, by its own length, and its own scale; no window lies
    in two series.

    A batch is a dict: `inputs` float32 [B, L, C + E + K], targets first, then extra and known
    columns, 0 where missing; `targets` float32 [B, P, C]; `index` int64 [B], the windows' numbers;
    with known columns `known` float32 [B, P, K], what is known of the steps to come; if the series
    has missing values anywhere, `observed` bool [B, L, C + E + K] and `target_observed` bool
    [B, P, C]; of a panel `series` int64 [B], the place of each window's series in the ids of the
    scaler: those of the training first, then any that it had not; and with a cycle `position` int64
    [B], where on the time grid the first target row of each window lies (`positions_of`).

    Args:
        source: The series: a dict that DATASETS builds, or an object with `read()`.
        look_back: Rows of input, or 'auto': by the step, the season and the length.
        horizon: Rows of targets, or 'auto'.
        split: 'train', 'val' or 'test'.
        borders: Rows at which training, validation and test part end; rows after the last are not
            used. None for `ratios`.
        ratios: Shares of the three parts, where there are no borders.
        stride: Rows from one window of this part to the next.
        targets: Columns to forecast, None for all that are not extra or known, less those that
            count rows, hold ids or repeat the date (the notes name them).
        extra: Columns that are input only, of the past.
        scale: False leaves values as they are.
        season: Rows of the main cycle; None to guess it from the distance of the rows in time.
        scaler: `metainfo['scaler']` of a checkpoint, which then counts instead of the training
            rows.
        known: Columns that are known for the rows to come too, as holidays and prices. Last rows
            of a series with these alone are its future, and left to a forecast. 'auto': columns of
            two values that go on where all others have ended.
        calendar: What the times say, as known columns: of 'hour', 'weekday', 'year'; 'auto' for
            those that the step and the length allow for.
        holidays: Public holidays of a country as a known column: 'DE', 'US', 'DE-BY'.
        short: What becomes of a series of a panel without a training window: 'error', or 'drop' to
            leave it out.
        known_scales: `metainfo['known']` of a checkpoint, likewise.
        origin: Which rolling origin, from 0, and of how many, (0, 4) say: parts that lie before the
            test part, for choosing (`Division.rolled`). None for the parts themselves.
        cycle: Rows of a cycle that a model learns, or 'auto'; a run takes it from its model.

    Raises:
        DataError: no window fits into a part, a column is not there, or does not change in the
            training part, the last rows have no target, or a column has no name and `targets`
            does not say whether it is one.
    """

    kind = 'forecasting'
    loader = ('amlnn.data.series.window_loader', 'WindowLoader')
    smallest: ClassVar = {'look_back': 1, 'horizon': 1, 'stride': 1}
    builds: ClassVar = {'source': 'DATASETS'}

    def __init__(self, source: dict, look_back: int | str, horizon: int | str, split: str,
                 borders: Sequence[int] | None = None,
                 ratios: Sequence[float] = (0.7, 0.1, 0.2), stride: int = 1,
                 targets: Sequence[str] | None = None, extra: Sequence[str] = (),
                 scale: bool = True, season: int | None = None, scaler: dict | None = None,
                 known: Sequence[str] | str = (), calendar: Sequence[str] | str = (),
                 holidays: str | None = None, short: str = 'error',
                 known_scales: dict | None = None, origin: Sequence[int] | None = None,
                 cycle: int | str | None = None):
        if split not in PARTS:
            raise DataError(f'`{split}` is not a part of a series',
                            hint=f'one of {", ".join(PARTS)}')
        if short not in ('error', 'drop'):
            raise DataError(f'short={short!r}', hint="short is 'error' or 'drop'")
        check_sizes(look_back, horizon, stride, season)
        source = source if hasattr(source, 'read') else DATASETS.build(source)
        series = getattr(source, 'read_open', source.read)() if known else source.read()
        concluded = known == AUTO
        if concluded:
            known = conclude_known(series, targets, extra)
        self._id_columns = series.id_columns
        self.columns, self.extra_columns = choose_columns(series, targets, extra, known)
        series = without_future(series, self.columns, self.extra_columns, known)
        self.split, self.stride, self._path = split, stride, series.path
        self.season = season or series.season
        self._grid = series.grid if series.times is None or series.grid or series.ids \
            else infer_grid(series.times, series.clock)
        self.look_back, self.horizon = look_back, horizon
        if AUTO in (look_back, horizon):
            self.look_back, self.horizon = conclude_sizes(
                look_back, horizon, self._grid, int(np.median(np.diff(series.bounds))),
                self.season, bool(series.ids))
            series = replace(series, notes=[*series.notes, self._sizes_in_words()])
        if targets is None and series.truth is None:
            series = replace(series, notes=[*series.notes, *check_all_end(
                series, self.columns, self.horizon, ask=concluded)])
        if calendar == AUTO:
            series, calendar = with_calendar(series, self._grid)
        series, self._division = divide(series, self.look_back, self.horizon, borders, ratios,
                                        short, origin)
        self.times, self._step_seconds = series.times, series.step_seconds
        self._clock, self.ids, self._bounds = series.clock, series.ids, series.bounds
        self._trained_until = trained_until(series, self._division.ends[:, 0])
        self._starts = {part: self._division.starts(
            part, self.look_back, self.horizon, stride if part == split else 1) for part in PARTS}
        if not len(self._starts[split]):
            raise DataError(f'the {PART_NAMES[split]} part has no row'
                            if not series.ids else f'no series has a window in the '
                            f'{PART_NAMES[split]} part',
                            hint=f'the parts end at rows {self.borders}: see ratios and borders'
                            if not series.ids else 'give the part a share in ratios')

        names = [*self.columns, *self.extra_columns]
        values, observed = series.select(names)
        if series.truth is None:  # of a generated series the end is known, a gap or not
            check_end(series, self.columns)
        self._notes = list(series.notes)
        training = self._division.in_part('train')
        self.scaler, said = fit_scaler(series, training, self._division.before(split), names, scale,
                                       scaler)
        self._notes += said
        self._codes = None
        if isinstance(self.scaler, SeriesScaler):
            self._codes = self.scaler.places(series.ids)[series.series_of_rows]
            scaled = np.where(observed, self.scaler.transform_rows(values, self._codes), 0)
        else:
            scaled = np.where(observed, self.scaler.transform(values), 0)
        self._known = None
        if known or calendar or holidays or series.static or known_scales:
            self._known = KnownColumns.from_dict(known_scales) if known_scales else \
                KnownColumns.fit(series, training, known, calendar, holidays, scale)
            self._notes += self._known.gaps_in_words(series)
        more = len(self._known.names) if self._known else 0
        # Column by column: a window is then copied in long runs, and a model that treats columns as
        # series of their own folds them into its batch without another copy.
        kept = np.empty((scaled.shape[1] + more, len(scaled)), dtype=np.float32)
        kept[:scaled.shape[1]] = scaled.T
        del scaled
        for place, column in enumerate(self._known.each(series) if self._known else ()):
            kept[len(names) + place] = column
        self._values = torch.from_numpy(kept)
        self._observed = None if observed.all() else torch.from_numpy(
            np.concatenate([observed.T, np.ones((more, len(observed)), dtype=bool)]))
        self._truth = self._scale_truth(series)
        self._inputs, self._targets, self._known_ahead = self._views(self._values)
        if self._observed is not None:
            self._input_observed, self._target_observed, _ = self._views(self._observed)
        self._first_rows = torch.from_numpy(self._starts[split])
        self.cycle, self._position = (None, None) if cycle is None else self._take_cycle(cycle)
        self._series_of_row = torch.from_numpy(self._codes) if series.ids else None

    @property
    def metainfo(self) -> dict:
        """What a model and its checkpoint need to know, in plain lists and numbers.

        `scaler` holds the targets' columns, then the extra ones, of a panel for each of its `ids`;
        `step` is the name of the time grid, `step_seconds` the usual distance of two rows; these
        and `season` are None where they are not known; `id_columns` name the series in its file.
        `known` is the state of `KnownColumns`, and `known_columns` their names; `trained_until`
        (see the function) is where training ended, which older checkpoints do not say.
        """
        info = dict(kind='series', columns=list(self.columns),
                    extra_columns=list(self.extra_columns), scaler=self.scaler.to_dict(),
                    look_back=self.look_back, horizon=self.horizon,
                    step=self._grid and self._grid.name, step_seconds=self._step_seconds,
                    season=self.season)
        if self.cycle:
            info |= dict(cycle=self.cycle)
        # A series without any is told as it always was: caches and old checkpoints know it so.
        if self._known:
            info |= dict(known_columns=self._known.names, known=self._known.to_dict())
        if self.ids:
            info |= dict(ids=list(self.scaler.ids), id_columns=list(self._id_columns))
        return info | {'trained_until': dict(self._trained_until)}

    @property
    def notes(self) -> list[str]:
        """What was concluded from the file, a sentence each: its step first."""
        if self._grid is None:
            return list(self._notes)
        ends = np.array([self.times.min(), self.times.max()])
        first, last = self._clock.written(ends)
        many = f' of {len(self.ids):,} series' if self.ids else ''
        return [f'{len(self.times):,} rows{many} from {first} to {last}, step: {self._grid.name}',
                *self._notes]

    def time_names(self, rows: np.ndarray) -> list[str]:
        """What rows of the series are called: their times with the offset, else their numbers.

        Of a panel the series' name stands before it.
        """
        if self.ids:
            places = np.searchsorted(self._bounds, rows, side='right') - 1
            whens = rows - self._bounds[places] if self.times is None \
                else self._clock.written(self.times[rows])
            return [f'{self.ids[place]} {when}'
                    for place, when in zip(places, whens, strict=True)]
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
        rows = self._first_rows[index]
        ahead = rows + self.look_back
        batch = {'inputs': _take(self._inputs, rows), 'targets': _take(self._targets, ahead),
                 'index': index}
        if self._observed is not None:
            batch['observed'] = _take(self._input_observed, rows)
            batch['target_observed'] = _take(self._target_observed, ahead)
        if self._known:
            batch['known'] = _take(self._known_ahead, ahead)
        if self._series_of_row is not None:
            batch['series'] = self._series_of_row[rows]
        if self._position is not None:
            batch['position'] = self._position[index]
        return batch

    @property
    def borders(self) -> tuple[int, int, int]:
        """Rows at which training, validation and test part end; of a panel, rows of all series."""
        return self._division.whole

    @property
    def division(self) -> Division:
        """Where the parts of each series end."""
        return self._division

    @property
    def training_values(self) -> np.ndarray:
        """[train rows, C] float64, scaled targets of the training part, NaN where missing."""
        return self.part_rows('train')[0]

    def part_rows(self, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The rows of a part, those of each series together.

        Returns:
            [T', C] float64, scaled targets, NaN where missing; [S + 1] int64, where each series
            begins and ends in it; [T', K] float64, the known columns, None without any.
        """
        inside = self._division.in_part(part)
        counts = np.add.reduceat(inside, self._bounds[:-1], dtype=np.int64)
        values = self._values.numpy()[:, inside].T.astype(np.float64)
        count = len(self.columns)
        targets = values[:, :count].copy()
        if self._observed is not None:
            targets[~self._observed.numpy()[:count, inside].T] = np.nan
        known = values[:, count + len(self.extra_columns):] if self._known else None
        return targets, np.concatenate([[0], np.cumsum(counts)]), known

    def window_scale(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the targets, [B, C] float64 each, for each window's series."""
        count = len(self.columns)
        if not self.ids:
            shape = (len(indices), count)
            return (np.broadcast_to(self.scaler.mean[:count], shape),
                    np.broadcast_to(self.scaler.deviation[:count], shape))
        codes = self.window_codes(indices)
        return self.scaler.mean[codes, :count], self.scaler.deviation[codes, :count]

    def window_codes(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """[B] int64, the place of each window's series in the ids that the scaler knows."""
        rows = self.window_start_rows(indices)
        return self._codes[rows] if self.ids else np.zeros(len(rows), dtype=np.int64)

    def window_series(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """[B] int64, the place of each window's series; 0 of one series."""
        rows = self.window_start_rows(indices)
        return np.searchsorted(self._bounds, rows, side='right') - 1

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
        length, train = self.look_back + self.horizon, self._division.ends[:, 0]
        allowed = self._division.starts('train', self.look_back, self.horizon, 1)
        if not self.ids:
            allowed = np.arange(train[0] - length + 1)
        else:  # a window of zeros and ones occurs in many series by chance
            rows = np.concatenate([rows, self._division_codes()[:, None]], axis=1)
        return find_copies(rows, self._starts['test'], length, allowed)

    def copies_in_words(self) -> str | None:
        """How many test windows also lie in the training part, and where the first one does; None
        without any.
        """
        found = self.overlap()
        if not found.count:
            return None
        return found.describe(None if self.times is None and not self.ids else self.time_names)

    def _division_codes(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.ids), dtype=np.float32), np.diff(self._bounds))

    def _sizes_in_words(self) -> str:
        season = f', season {self.season}' if self.season else ''
        return f'{self.look_back} rows back, {self.horizon} ahead{season}: look_back, horizon ' \
               'and season of the data set say otherwise'

    def _take_cycle(self, cycle: int | str) -> tuple[int | None, Tensor | None]:
        """How long it is, and where on the time grid each window lies."""
        check_cycle(cycle)
        place = (self._bounds, self.times, self._grid, self._clock)
        if cycle == AUTO:
            values, bounds, _ = self.part_rows('train')
            rows = np.flatnonzero(self._division.in_part('train'))
            cycle, said = conclude_cycle(values, positions_of(rows, *place), bounds,
                                         known_cycles(self.season, self._grid))
            self._notes.append(said)
        if cycle is None:
            return None, None
        rows = self._starts[self.split] + self.look_back
        return cycle, torch.from_numpy(positions_of(rows, *place))

    def _views(self, values_FT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[row, column, L or P]: input, target and known future of a window from each row on."""
        ahead = values_FT.unfold(1, self.horizon, 1).transpose(0, 1)
        return (values_FT.unfold(1, self.look_back, 1).transpose(0, 1),
                ahead[:, :len(self.columns)],
                ahead[:, len(self.columns) + len(self.extra_columns):])

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
