"""What the stored forecasts of a run say: errors by step, windows worth a look, intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas import forecast_errors
from amlnn.formulas.conformal import fit_intervals, margins_by_series
from amlnn.records import REPEAT_LAST, TRAIN_MEAN
from amlnn.results.forecasts import Forecasts
from amlnn.results.store import StoredRun

__all__ = ['ChosenWindow', 'Interval', 'chosen_windows', 'error_by_step', 'find_intervals',
           'one_series', 'reference_errors', 'window_times']

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
    """Intervals of 80 and 95 %, from the errors on the validation part (split-conformal).

    For each step and column it is the ceil((n + 1) level)-th smallest of the n validation errors
    that is put around the forecast, or that its own quantiles are widened by: Lei et al. 2018,
    algorithm 2; Romano et al. 2019, arXiv:1905.03222. On the validation part itself they hold what
    they claim by construction. Of a panel, a series with windows enough has margins of its own.

    Returns:
        As many as the validation part has windows for; none where the run has no forecasts of it,
        or those of another epoch than were tested.

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
    fitted = fit_intervals(validation.targets, validation.forecasts, validation.quantiles,
                           validation.levels, validation.observed)
    if shown.places is not None and validation.places is not None:
        places = _places_in(validation, shown)
        own = margins_by_series(fitted, validation.places, len(validation.names),
                                validation.targets, validation.forecasts, validation.quantiles,
                                validation.levels, validation.observed)
        fitted = [each._replace(margin=np.concatenate([margins, each.margin[None]])[places])
                  for each, margins in zip(fitted, own, strict=True)]
    return [Interval(each.level, *each.bounds(shown.forecasts, shown.quantiles))
            for each in fitted]


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


def _places_in(validation: Forecasts, shown: Forecasts) -> np.ndarray:
    """[N] places of the shown windows' series among those validated; -1 where one is not."""
    known = {name: place for place, name in enumerate(validation.names)}
    return np.array([known.get(name, -1) for name in shown.names])[shown.places]


def _float64(forecasts: Forecasts) -> tuple[np.ndarray, np.ndarray]:
    """Targets and forecasts, of which errors are taken in double precision."""
    return forecasts.targets.astype(np.float64), forecasts.forecasts.astype(np.float64)
