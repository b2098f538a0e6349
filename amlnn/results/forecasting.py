"""What the stored forecasts of a run say: errors by step, windows worth a look, intervals."""

from dataclasses import dataclass

import numpy as np

from amlnn.errors import DataError
from amlnn.results.forecasts import Forecasts
from amlnn.results.store import StoredRun

__all__ = ['ChosenWindow', 'Interval', 'chosen_windows', 'error_by_step', 'find_intervals',
           'reference_errors', 'window_times']

# N windows in the order of time, P steps ahead, C columns

LEVELS = (0.8, 0.95)

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
    """[P] mean squared error of each step ahead, over windows and columns, in scaled units."""
    return _by_step(forecasts.errors)


def reference_errors(forecasts: Forecasts) -> dict[str, np.ndarray]:
    """Mean squared errors by step [P] of what the stored targets themselves allow to compute.

    'train mean' (0 in scaled units), where values are scaled; 'repeat last', where the windows
    follow one another and no value is missing: without the first window, before which nothing is
    stored.
    """
    found = {}
    if forecasts.scaled:
        targets = forecasts.targets.astype(np.float64)
        if forecasts.observed is not None:
            targets = np.where(forecasts.observed, targets, np.nan)
        found['train mean'] = _by_step(targets)
    if forecasts.observed is None and forecasts.series is not None:
        last = forecasts.series[forecasts.stride - 1:-1:forecasts.stride]
        found['repeat last'] = _by_step(forecasts.targets[1:] - last[:, None])
    return found


def chosen_windows(forecasts: Forecasts, most: int = 4) -> list[ChosenWindow]:
    """Windows by the rank of their error: a typical, an easy, a hard and a very hard one.

    Nobody picks them, so a figure of them cannot flatter. Windows without a target are passed over.
    """
    errors = np.square(forecasts.errors)
    known = np.flatnonzero(~np.isnan(errors).all(axis=(1, 2)))
    order = known[np.argsort(np.nanmean(errors[known], axis=(1, 2)), kind='stable')]
    chosen: dict[int, str] = {}
    for share, reason in _SHARES[:most]:
        if share * len(order) < len(order) - 1 or share == 0.5:
            chosen.setdefault(int(order[int(share * len(order))]), reason)
    return [ChosenWindow(index, reason) for index, reason in chosen.items()]


def window_times(forecasts: Forecasts) -> np.ndarray | None:
    """[N] datetime64[s] of the windows' first targets; None where their ids are rows."""
    if all(each.isdigit() for each in forecasts.ids):
        return None
    try:
        return forecasts.ids.astype('datetime64[s]')
    except ValueError:
        return None


def find_intervals(run: StoredRun, split: str) -> list[Interval]:
    """Intervals of 80 and 95 %, from the errors on the validation part (split-conformal).

    For each step and column it is the ceil((n + 1) level)-th smallest of the n validation errors
    that is put around the forecast, or that its own quantiles are widened by: Lei et al. 2018,
    algorithm 2; Romano et al. 2019, arXiv:1905.03222. On the validation part itself they hold what
    they claim by construction.

    Returns:
        As many as the validation part has windows for; none where the run has no forecasts of it,
        or those of another epoch than were tested.
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
    if shown.targets.shape[1:] != validation.targets.shape[1:]:
        return []
    found = []
    for level in LEVELS:
        low, high = _bounds(validation, level)
        scores = np.maximum(low - validation.targets, validation.targets - high)
        if validation.observed is not None:
            scores = np.where(validation.observed, scores, np.nan)
        margin = _margin(scores, level)
        if margin is None:
            continue
        low, high = _bounds(shown, level)
        middle = (low + high) / 2  # a negative margin must not make them cross
        found.append(Interval(level, np.minimum(low - margin, middle),
                              np.maximum(high + margin, middle)))
    return found


def _bounds(forecasts: Forecasts, level: float) -> tuple[np.ndarray, np.ndarray]:
    """[N, P, C] each: the head's own quantiles for this level, or the point forecast twice."""
    ends = [np.flatnonzero(np.abs(np.array(forecasts.levels) - wanted) < 1e-6)
            for wanted in ((1 - level) / 2, (1 + level) / 2)]
    if forecasts.quantiles is None or not all(len(end) for end in ends):
        return forecasts.forecasts, forecasts.forecasts
    low, high = (forecasts.quantiles[..., end[0]] for end in ends)
    return low, high


def _margin(scores: np.ndarray, level: float) -> np.ndarray | None:
    """[P, C] of scores [N, P, C], NaN where missing; None where there are too few of them."""
    counts = (~np.isnan(scores)).sum(axis=0)
    ranks = np.ceil(np.round((counts + 1) * level, 9)).astype(int)
    if (ranks > counts).any():
        return None
    ordered = np.sort(scores, axis=0)  # NaN comes last
    return np.take_along_axis(ordered, ranks[None] - 1, axis=0)[0]


def _by_step(errors: np.ndarray) -> np.ndarray:
    """[P] mean square over windows and columns, NaN left out; NaN where nothing is left."""
    known = ~np.isnan(errors)
    total = np.where(known, np.square(errors), 0).sum(axis=(0, 2), dtype=np.float64)
    count = known.sum(axis=(0, 2))
    return np.divide(total, count, where=count > 0, out=np.full(len(count), np.nan))
