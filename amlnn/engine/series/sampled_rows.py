"""Methods that take too long for every window: their errors on an evenly spaced sample of them.

What a method errs in a window depends on the data alone, so it is kept in the cache folder window
by window: a computation that was interrupted goes on, and a larger sample adds to a smaller one.
"""

import json
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from amlnn.console import say
from amlnn.data.series.windows import SeriesWindows
from amlnn.engine.series.baseline_rows import (
    KEPT,
    cache_name,
    error_row,
    predicted,
    target_deviation,
    training_rows,
    window_sums,
)
from amlnn.engine.series.evaluation import ForecastEvaluation
from amlnn.engine.series.parts import SeriesParts
from amlnn.errors import UsageError
from amlnn.foreign_texts import parse_json
from amlnn.models.series.baselines import STATISTICAL, Baseline
from amlnn.user_cache import read_cached, write_cached

__all__ = ['DEFAULT_WINDOWS', 'check_methods', 'method_rows', 'own_row', 'sample_windows']

DEFAULT_WINDOWS = 100
"""Windows of a sample, where nobody says otherwise."""

_SECONDS_BETWEEN_WRITINGS = 20.0

# N windows, P steps ahead, C target columns


def sample_windows(windows: int, wanted: int) -> list[int]:
    """Places of evenly spaced windows.

    Args:
        windows: As many as there are.
        wanted: As many as are looked for; 0 for all.

    >>> sample_windows(10, 4), sample_windows(3, 4), len(sample_windows(7, 0))
    ([0, 2, 5, 7], [0, 1, 2], 7)
    """
    count = min(wanted, windows) or windows
    return [place * windows // count for place in range(count)]


def check_methods(methods: Sequence[str]) -> None:
    """Refuse what cannot be computed, before anything is.

    Raises:
        UsageError: a method has no such name.
        ConfigError: the package of one is not installed.
    """
    for name in methods:
        _kind(name)[1]().require()


def method_rows(parts: SeriesParts, split: str, methods: Sequence[str], windows: Sequence[int],
                console: Console) -> dict[str, dict[str, float]]:
    """Errors of slow methods, each fitted anew to the look-back of every window.

    Args:
        parts: The windows, with the scaler that counts.
        split: 'val' or 'test'.
        methods: Names in STATISTICAL, in any case.
        windows: Places of those to forecast.
        console: Where progress is shown.

    Returns:
        By name, what `error_row` gives.

    Raises:
        UsageError: a method has no such name.
        ConfigError: the package of one is not installed.
        DataError: one cannot be fitted to a window.
    """
    dataset, rows = parts.dataset(split), {}
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True,
                  disable=not console.is_terminal) as bar:
        for name, kind in map(_kind, methods):
            shown = bar.add_task(f'{name} on {split}', total=len(windows))
            kept = cache_name(parts, split, name, _package_version())
            sums = _sums(kind(), name, dataset, windows, kept, console,
                         lambda shown=shown: bar.advance(shown))
            rows[name] = _row(dataset, windows, [sums[str(window)] for window in windows])
    return rows


def own_row(result: ForecastEvaluation, windows: Sequence[int]) -> dict[str, float]:
    """What a model reached on some of the windows that it was evaluated on."""
    at = list(windows)
    observed = None if result.observed is None else result.observed[at]
    errors = result.forecasts[at].astype(np.float64) - result.targets[at]
    if not result.dataset.ids:
        return error_row(window_sums(errors, observed), target_deviation(result.dataset), len(at))
    return _row(result.dataset, at, [
        window_sums(errors[place:place + 1], None if observed is None else
                    observed[place:place + 1]) for place in range(len(at))])


def _row(dataset: SeriesWindows, windows: Sequence[int], sums: Sequence) -> dict[str, float]:
    """`error_row` of windows, each in the units of its own series.

    Args:
        dataset: All of them.
        windows: Their places.
        sums: [3, C] of each, as `window_sums` gives them.
    """
    sums_N3C = np.asarray(sums, dtype=np.float64)
    if not dataset.ids:
        return error_row(sums_N3C.sum(axis=0), target_deviation(dataset), len(windows))
    deviation_NC = dataset.window_scale(list(windows))[1]
    row = error_row(sums_N3C.sum(axis=0), np.ones(deviation_NC.shape[1]), len(windows))
    count = max(sums_N3C[:, 2].sum(), 1)
    return row | {
        'forecast/mse_original': float((sums_N3C[:, 0] * deviation_NC ** 2).sum() / count),
        'forecast/mae_original': float((sums_N3C[:, 1] * deviation_NC).sum() / count)}


def _sums(baseline: Baseline, name: str, dataset: SeriesWindows, windows: Sequence[int],
          kept: str, console: Console, advance) -> dict[str, list]:
    """By window, [3, C] as `window_sums` gives them; read from the cache and added to it."""
    found = _read(kept)
    left = [window for window in windows if str(window) not in found]
    for _ in range(len(windows) - len(left)):
        advance()
    if not left:
        return found
    baseline.fit(training_rows(dataset), dataset.look_back, dataset.horizon, dataset.season)
    begin = written = time.monotonic()
    try:
        for window in left:
            found[str(window)] = _window_sums(baseline, dataset, window).tolist()
            advance()
            if time.monotonic() - written > _SECONDS_BETWEEN_WRITINGS:
                _write(kept, found)
                written = time.monotonic()
    except KeyboardInterrupt:
        known = sum(str(window) in found for window in windows)
        say(console, f'{name}: {known:,} of {len(windows):,} windows are kept; the same command '
                     'goes on')
        raise
    finally:
        _write(kept, found)
    say(console, f'{name}: {len(left):,} windows in {time.monotonic() - begin:.1f} s')
    return found


def _window_sums(baseline: Baseline, dataset: SeriesWindows, window: int) -> np.ndarray:
    batch = dataset[window]
    error_NPC = predicted(baseline, batch, dataset) - batch['targets'].numpy()
    observed = batch.get('target_observed')
    return window_sums(error_NPC, None if observed is None else observed.numpy())


def _kind(method: str) -> tuple[str, type]:
    for name, kind in STATISTICAL.items():
        if name.lower() == method.lower():
            return name, kind
    raise UsageError(f'there is no baseline `{method}`',
                     hint=f'some of {", ".join(STATISTICAL).lower()}')


def _package_version() -> str | None:
    try:
        return version('statsforecast')
    except PackageNotFoundError:  # a stand-in for it
        return None


def _read(name: str) -> dict[str, list]:
    try:
        return parse_json(read_cached(KEPT, name) or '')
    except ValueError:
        return {}


def _write(name: str, found: dict[str, list]) -> None:
    write_cached(KEPT, name, json.dumps(found, indent=1, allow_nan=False))
