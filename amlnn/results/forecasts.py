"""The forecasts that a run stored, read and checked."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.forecast_errors import mse
from amlnn.formulas.scales import unscaled
from amlnn.results.arrays import HINT, read_arrays

__all__ = ['Forecasts', 'read_forecasts']

# S series, N windows in the order of time, P steps ahead, C columns, Q quantile levels

_NAMES = ('id', 'target', 'forecast', 'columns', 'mean', 'deviation')


@dataclass(frozen=True)
class Forecasts:
    """What `predictions_<split>.npz` of a forecaster holds; values in scaled units."""

    ids: np.ndarray
    """[N] str: time, or row, of each window's first target; of a panel behind its series' name."""
    targets: np.ndarray
    """[N, P, C] float32."""
    forecasts: np.ndarray
    """[N, P, C] float32."""
    columns: list[str]
    mean: np.ndarray
    """[C] float64, of the scale: see `unscaled`. Of a panel [S, C]."""
    deviation: np.ndarray
    """As `mean`."""
    observed: np.ndarray | None = None
    """[N, P, C] bool: False where the target is missing; None where none is."""
    quantiles: np.ndarray | None = None
    """[N, P, C, Q] float32."""
    levels: tuple[float, ...] = ()
    """The Q levels."""
    names: list[str] = field(default_factory=list)
    """Of a panel, the S series."""
    places: np.ndarray | None = None
    """[N] int64, of a panel: each window's place in `names`."""

    @property
    def horizon(self) -> int:
        """P."""
        return int(self.targets.shape[1])

    @property
    def scaled(self) -> bool:
        """Whether the scaled units differ from the original ones."""
        return bool((self.mean != 0).any() or (self.deviation != 1).any())

    @property
    def mse(self) -> float:
        """Mean squared error, in scaled units."""
        return mse(self.targets, self.forecasts.astype(np.float64), self.observed)

    @cached_property
    def starts(self) -> np.ndarray:
        """[N] str: time, or row, of each window's first target, without the name of a series."""
        if self.places is None:
            return self.ids
        return np.array([each[len(self.names[place]) + 1:] for each, place
                         in zip(self.ids.tolist(), self.places.tolist(), strict=True)])

    def original(self, values: np.ndarray) -> np.ndarray:
        """[..., C] scaled values in original units; of a panel [N, P, C], each in its series'."""
        if self.places is None:
            return unscaled(values, self.mean, self.deviation)
        return unscaled(values, self.mean[self.places, None], self.deviation[self.places, None])

    def windows_of(self, place: int) -> np.ndarray:
        """[n] int64: the windows of a series of a panel, in the order of time."""
        order, bounds = self._by_series
        return order[bounds[place]:bounds[place + 1]]

    def of(self, place: int) -> 'Forecasts':
        """The forecasts of one series of a panel, as those of a series that stands alone."""
        rows = self.windows_of(place)
        return Forecasts(
            self.starts[rows], self.targets[rows], self.forecasts[rows], self.columns,
            self.mean[place], self.deviation[place],
            None if self.observed is None else self.observed[rows],
            None if self.quantiles is None else self.quantiles[rows], self.levels)

    @cached_property
    def _by_series(self) -> tuple[np.ndarray, np.ndarray]:
        """[N] windows in the order of the series, and [S + 1] where each series begins there."""
        places = np.zeros(len(self.ids), np.int64) if self.places is None else self.places
        order = np.argsort(places, kind='stable')
        return order, np.searchsorted(places[order], np.arange(max(len(self.names), 1) + 1))

    @cached_property
    def neighbours(self) -> tuple[np.ndarray | slice, np.ndarray | slice]:
        """Indices of windows, and of the one before each in the same series."""
        if self.places is None:
            return slice(1, None), slice(None, -1)  # which copy nothing
        order, _ = self._by_series
        same = self.places[order[1:]] == self.places[order[:-1]]
        return order[1:][same], order[:-1][same]

    @cached_property
    def stride(self) -> int | None:
        """Rows from one window to the next, None where that cannot be seen.

        Windows that overlap share targets, which tells. A single step ahead shares none: such
        windows are taken to follow one another.
        """
        later, earlier = self.neighbours
        if not len(self.ids[later]):
            return None
        if self.horizon == 1:
            return 1
        for rows in range(1, self.horizon):
            same = [np.array_equal(part[later, :-rows], part[earlier, rows:])
                    for part in (self.targets, self.observed) if part is not None]
            if all(same):
                return rows
        return None

    @cached_property
    def series(self) -> np.ndarray | None:
        """[N * stride, C] float64: the targets end to end, NaN where missing.

        Window n begins at row n * stride. None without stride, and of a panel, whose series
        `of` has.
        """
        if self.stride is None or self.places is not None:
            return None
        values = self.targets.astype(np.float64)
        if self.observed is not None:
            values = np.where(self.observed, values, np.nan)
        return values[:, :self.stride].reshape(-1, len(self.columns))


def read_forecasts(path: Path | str) -> Forecasts:
    """Read and check the forecasts of a run.

    Raises:
        DataError: there are none, the file is truncated, or an array is missing, of the wrong shape
            or type, or not finite.

    >>> forecasts = read_forecasts(tiny_forecaster().folder / 'predictions_test.npz')
    >>> forecasts.horizon, forecasts.stride, forecasts.mse
    (2, 1, 0.5)
    >>> forecasts.original(forecasts.targets)[0].ravel().tolist()
    [10.0, 12.0]
    """
    arrays = read_arrays(path, _NAMES)
    problem = _problem(arrays)
    if problem:
        raise DataError(f'`{path}`: {problem}', hint=HINT)
    return Forecasts(
        arrays['id'], arrays['target'], arrays['forecast'], arrays['columns'].tolist(),
        arrays['mean'].astype(np.float64), arrays['deviation'].astype(np.float64),
        arrays.get('observed'), arrays.get('quantiles'),
        tuple(arrays['levels'].tolist()) if 'levels' in arrays else (),
        arrays['ids'].tolist() if 'ids' in arrays else [],
        arrays['series'].astype(np.int64) if 'series' in arrays else None)


def _problem(arrays: dict[str, np.ndarray]) -> str | None:
    target, forecast, columns = (arrays[name] for name in ('target', 'forecast', 'columns'))
    if arrays['id'].dtype.kind != 'U' or columns.dtype.kind != 'U':
        return f'id and columns must be strings, not {arrays["id"].dtype} and {columns.dtype}'
    if target.dtype.kind != 'f' or forecast.dtype.kind != 'f':
        return f'target and forecast must be floats, not {target.dtype} and {forecast.dtype}'
    if target.ndim != 3 or 0 in target.shape:
        return f'target has the shape {target.shape}; want [N, P, C], none of them 0'
    problem = _panel_problem(arrays)
    if problem:
        return problem
    scale = (*arrays['ids'].shape, *target.shape[2:]) if 'ids' in arrays else target.shape[2:]
    wanted = dict(id=target.shape[:1], forecast=target.shape, columns=target.shape[2:],
                  mean=scale, deviation=scale, observed=target.shape, series=target.shape[:1])
    if 'quantiles' in arrays or 'levels' in arrays:
        if not {'quantiles', 'levels'} <= arrays.keys():
            return 'quantiles and levels come together'
        wanted['quantiles'] = (*target.shape, *arrays['levels'].shape)
    for name, shape in wanted.items():
        if name in arrays and arrays[name].shape != shape:
            return f'{name} has the shape {arrays[name].shape}, and target has {target.shape}'
    for name in ('target', 'forecast', 'quantiles', 'mean', 'deviation'):
        if name in arrays and not np.isfinite(arrays[name]).all():
            return f'{name} holds values that are not finite'
    if 'observed' in arrays and arrays['observed'].dtype != bool:
        return f'observed must be bool, not {arrays["observed"].dtype}'
    return None


def _panel_problem(arrays: dict[str, np.ndarray]) -> str | None:
    """What is wrong with the names of series, and with which window is whose."""
    if not {'ids', 'series'} & arrays.keys():
        return None
    if not {'ids', 'series'} <= arrays.keys():
        return 'ids and series come together'
    ids, series = arrays['ids'], arrays['series']
    if ids.dtype.kind != 'U' or ids.ndim != 1 or series.dtype.kind not in 'iu':
        return (f'ids must be strings [S] and series whole numbers, not {ids.dtype} {ids.shape} '
                f'and {series.dtype}')
    if series.size and not (series.min() >= 0 and series.max() < len(ids)):
        return f'series from {series.min()} to {series.max()} do not fit {len(ids)} ids'
    return None
