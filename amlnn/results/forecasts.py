"""The forecasts that a run stored, read and checked."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.forecast_errors import mse
from amlnn.formulas.scales import unscaled
from amlnn.results.arrays import HINT, read_arrays

__all__ = ['Forecasts', 'read_forecasts']

# N windows in the order of time, P steps ahead, C columns, Q quantile levels

_NAMES = ('id', 'target', 'forecast', 'columns', 'mean', 'deviation')


@dataclass(frozen=True)
class Forecasts:
    """What `predictions_<split>.npz` of a forecaster holds; values in scaled units."""

    ids: np.ndarray
    """[N] str: time, or row, of each window's first target."""
    targets: np.ndarray
    """[N, P, C] float32."""
    forecasts: np.ndarray
    """[N, P, C] float32."""
    columns: list[str]
    mean: np.ndarray
    """[C] float64, of the scale: see `unscaled`."""
    deviation: np.ndarray
    """[C] float64."""
    observed: np.ndarray | None = None
    """[N, P, C] bool: False where the target is missing; None where none is."""
    quantiles: np.ndarray | None = None
    """[N, P, C, Q] float32."""
    levels: tuple[float, ...] = ()
    """The Q levels."""

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

    def original(self, values: np.ndarray) -> np.ndarray:
        """[..., C] scaled values in original units."""
        return unscaled(values, self.mean, self.deviation)

    @cached_property
    def stride(self) -> int | None:
        """Rows from one window to the next, None where that cannot be seen.

        Windows that overlap share targets, which tells. A single step ahead shares none: such
        windows are taken to follow one another.
        """
        if len(self.targets) < 2:
            return None
        if self.horizon == 1:
            return 1
        for rows in range(1, self.horizon):
            same = [np.array_equal(part[1:, :-rows], part[:-1, rows:])
                    for part in (self.targets, self.observed) if part is not None]
            if all(same):
                return rows
        return None

    @cached_property
    def series(self) -> np.ndarray | None:
        """[N * stride, C] float64: the targets end to end, NaN where missing; None without stride.

        Window n begins at row n * stride.
        """
        if self.stride is None:
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
        tuple(arrays['levels'].tolist()) if 'levels' in arrays else ())


def _problem(arrays: dict[str, np.ndarray]) -> str | None:
    target, forecast, columns = (arrays[name] for name in ('target', 'forecast', 'columns'))
    if arrays['id'].dtype.kind != 'U' or columns.dtype.kind != 'U':
        return f'id and columns must be strings, not {arrays["id"].dtype} and {columns.dtype}'
    if target.dtype.kind != 'f' or forecast.dtype.kind != 'f':
        return f'target and forecast must be floats, not {target.dtype} and {forecast.dtype}'
    if target.ndim != 3 or 0 in target.shape:
        return f'target has the shape {target.shape}; want [N, P, C], none of them 0'
    wanted = dict(id=target.shape[:1], forecast=target.shape, columns=target.shape[2:],
                  mean=target.shape[2:], deviation=target.shape[2:], observed=target.shape)
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
