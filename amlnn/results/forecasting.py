"""What the stored forecasts of a run say: errors by step, windows worth a look, intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas import forecast_errors
from amlnn.formulas.calibrated_windows import (
    Forecasted,
    ForecastWindows,
    calibrated,
    static_margins,
)
from amlnn.formulas.conformal import INTERVAL_LEVELS
from amlnn.formulas.forecast_errors import observed_mean
from amlnn.formulas.quantiles import inside
from amlnn.records import REPEAT_LAST, TRAIN_MEAN
from amlnn.results.forecasts import Forecasts
from amlnn.results.store import StoredRun

__all__ = ['ChosenWindow', 'Interval', 'chosen_windows', 'error_by_step', 'find_intervals',
           'held_by_series', 'held_by_step', 'one_series', 'reference_errors', 'window_times']

# S series, N windows in the order of time, P steps ahead, C columns

_SHARES = ((0.5, 'typical: half of the windows err more'), (0.1, 'easy: 9 in 10 err more'),
           (0.9, 'hard: 1 in 10 errs more'), (0.99, 'very hard: 1 in 100 errs more'))


@dataclass(frozen=True)
class ChosenWindow:
    """A window, and how it came to be chosen."""

    index: int
    reason: str


@dataclass(frozen=True)
class Interval:
    """Lower and upper bounds of every forecast, in scaled units."""

    level: float
    """The share of values that it claims to hold."""
    low: np.ndarray
    """[N, P, C]."""
    high: np.ndarray
    """[N, P, C]."""


def error_by_step(forecasts: Forecasts) -> np.ndarray:
    """[P] mean squared error of each step ahead, over windows and columns, in scaled units.

    >>> forecasts = tiny_forecaster().forecasts('test')
    >>> error_by_step(forecasts).tolist()  # right at the first step, off by 1 at the second
    [0.0, 1.0]
    """
    return forecast_errors.error_by_step(*_float64(forecasts), forecasts.observed)


def reference_errors(forecasts: Forecasts) -> dict[str, np.ndarray]:
    """Mean squared errors by step [P] of what the stored targets themselves allow to compute.

    'train mean' (0 in scaled units), where values are scaled; 'repeat last', where the windows
    follow one another and no value is missing: without the first window of a series, before which
    nothing is stored.

    >>> forecasts = tiny_forecaster().forecasts('test')
    >>> {name: error.tolist() for name, error in reference_errors(forecasts).items()}
    {'train mean': [3.5, 7.5], 'repeat last': [1.0, 4.0]}
    """
    targets, _ = _float64(forecasts)
    found = {}
    if forecasts.scaled:
        found[TRAIN_MEAN] = forecast_errors.error_by_step(targets, np.zeros_like(targets),
                                                          forecasts.observed)
    stride = forecasts.stride
    if forecasts.observed is None and stride is not None:
        later, earlier = forecasts.neighbours
        last = targets[earlier, stride - 1]
        found[REPEAT_LAST] = forecast_errors.error_by_step(targets[later], last[:, None])
    return found


def chosen_windows(forecasts: Forecasts, most: int = 4) -> list[ChosenWindow]:
    """Windows by the rank of their error: a typical, an easy, a hard and a very hard one.

    Nobody picks them, so a figure of them cannot flatter. Windows without a target are passed over.

    >>> forecasts = tiny_forecaster().forecasts('test')
    >>> chosen_windows(forecasts, most=1)
    [ChosenWindow(index=2, reason='typical: half of the windows err more')]
    """
    errors = forecast_errors.error_by_window(*_float64(forecasts), forecasts.observed)
    known = np.flatnonzero(~np.isnan(errors))
    order = known[np.argsort(errors[known], kind='stable')]
    chosen: dict[int, str] = {}
    for share, reason in _SHARES[:most]:
        if share * len(order) < len(order) - 1 or share == 0.5:
            chosen.setdefault(int(order[int(share * len(order))]), reason)
    return [ChosenWindow(index, reason) for index, reason in chosen.items()]


def window_times(forecasts: Forecasts) -> np.ndarray | None:
    """[N] datetime64[s] of the windows' first targets; None where their ids are rows.

    >>> forecasts = tiny_forecaster().forecasts('test')
    >>> str(window_times(forecasts)[0])
    '2020-01-01T00:00:00'
    """
    if all(each.isdigit() for each in forecasts.starts):
        return None
    try:
        # What clocks show: a series in local time has its offset behind it.
        return np.array([each[:19] for each in forecasts.starts], dtype='datetime64[s]')
    except ValueError:
        return None


def find_intervals(run: StoredRun, split: str) -> list[Interval]:
    """Intervals of 80 and 95 %, as a test makes them, from the newest errors that were known.

    See `amlnn.formulas.calibrated_windows`: those of the test part begin with the errors on the
    validation part. Of a panel, a series with windows enough has errors of its own.

    Returns:
        Those of which there is any; none where the run has no forecasts of the validation part, or
        those of another epoch than were tested.

    >>> run = tiny_forecaster()  # whose four validation windows are too few for 95 %
    >>> found = find_intervals(run, 'test')
    >>> [(each.level, (each.high - each.low)[0].ravel().tolist()) for each in found]
    [(0.8, [0.0, 2.0])]
    """
    test = run.tests.get(split)
    if not run.has_predictions('val') or (
            split != 'val' and test is not None
            and test.checkpoint_epoch != run.record.best_epoch):
        return []
    try:
        shown, validation = run.forecasts(split), run.forecasts('val')
    except DataError:
        return []
    if shown.targets.shape[1:] != validation.targets.shape[1:] or shown.levels != validation.levels:
        return []
    before = _windows(validation, _places_in(validation, shown))
    bounds = np.empty((2, len(INTERVAL_LEVELS), *shown.targets.shape), np.float32)
    for each in calibrated(_windows(shown, shown.places), static_margins(before),
                           before if split == 'test' else None):
        bounds[:, :, each.places] = each.low, each.high
    return [Interval(level, low, high) for level, low, high in zip(
        INTERVAL_LEVELS, *bounds, strict=True) if not np.isnan(low).all()]


def _windows(forecasts: Forecasts, series: np.ndarray | None) -> ForecastWindows:
    whole = Forecasted(forecasts.forecasts, forecasts.targets, forecasts.observed,
                       forecasts.quantiles)
    # Windows that share no target have no stride that is seen; all is known of one at the next.
    return ForecastWindows.of_arrays(whole, series, forecasts.stride or forecasts.horizon,
                                     forecasts.levels or None)


def held_by_step(forecasts: Forecasts, interval: Interval) -> np.ndarray:
    """[P] share of targets of each step ahead that lie in their interval, NaN without any.

    >>> run = tiny_forecaster()
    >>> held_by_step(run.forecasts('test'), find_intervals(run, 'test')[0]).tolist()
    [1.0, 1.0]
    """
    return _held(forecasts, interval, (0, 2))


def held_by_series(forecasts: Forecasts, interval: Interval) -> np.ndarray:
    """[S] share of targets of each series of a panel that lie in their interval, NaN without any.

    >>> panel = tiny_panel()
    >>> interval = Interval(0.8, panel.forecasts - 2, panel.forecasts + 2)
    >>> held_by_series(panel, interval).tolist()  # the forecast of the second is off by 4
    [1.0, 0.0]
    """
    by_window = _held(forecasts, interval, (1, 2))
    return np.array([observed_mean(by_window[rows], ~np.isnan(by_window[rows]))
                     for rows in map(forecasts.windows_of, range(len(forecasts.names)))])


def _held(forecasts: Forecasts, interval: Interval, axis: tuple[int, ...]) -> np.ndarray:
    known = ~np.isnan(interval.low)
    if forecasts.observed is not None:
        known &= forecasts.observed
    return observed_mean(inside(forecasts.targets, interval.low, interval.high), known, axis)


def one_series(forecasts: Forecasts, intervals: Sequence[Interval], place: int
               ) -> tuple[Forecasts, list[Interval]]:
    """One series of a panel, with its intervals, as those of a series that stands alone.

    >>> alone, _ = one_series(tiny_panel(), [], place=1)
    >>> alone.ids.tolist(), alone.original(alone.forecasts).ravel().tolist()
    (['2020-01-05'], [11.0])
    """
    rows = forecasts.windows_of(place)
    return forecasts.of(place), [Interval(each.level, each.low[rows], each.high[rows])
                                 for each in intervals]


def _places_in(validation: Forecasts, shown: Forecasts) -> np.ndarray | None:
    """[N] places of the validated windows' series among those shown; -1 where one is not."""
    if validation.places is None or shown.places is None:
        return None
    known = {name: place for place, name in enumerate(shown.names)}
    places: np.ndarray = np.array([known.get(name, -1) for name in validation.names])[
        validation.places]
    return places


def _float64(forecasts: Forecasts) -> tuple[np.ndarray, np.ndarray]:
    """Targets and forecasts, of which errors are taken in double precision."""
    return forecasts.targets.astype(np.float64), forecasts.forecasts.astype(np.float64)
