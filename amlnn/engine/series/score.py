"""What only the test of a forecaster has: simple methods beside it, and how its intervals hold."""

from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from amlnn.console import say
from amlnn.data.series.windows import SeriesWindows
from amlnn.engine.options import TestOptions
from amlnn.engine.series.baseline_rows import baseline_errors, errors_of
from amlnn.engine.series.calibration import bounded_windows, interval_sums, windows_before
from amlnn.engine.series.evaluation import ForecastEvaluation
from amlnn.engine.series.intervals import interval_bounds
from amlnn.engine.series.parts import SeriesParts
from amlnn.engine.series.sampled_rows import (
    DEFAULT_WINDOWS,
    check_methods,
    method_rows,
    own_row,
    sample_windows,
)
from amlnn.errors import UsageError
from amlnn.formulas.calibrated_windows import Bounded, ForecastWindows
from amlnn.formulas.conformal import INTERVAL_LEVELS
from amlnn.formulas.interval_errors import IntervalSums
from amlnn.records import OWN, TestRecord

__all__ = ['add_rows_and_intervals', 'check_rows', 'show_rows']


def check_rows(options: TestOptions) -> None:
    """Refuse rows that cannot be computed, before anything is.

    Raises:
        AmlnnError: names the option.
    """
    windows = options.baseline_windows
    if windows is not None and not options.baselines:
        raise UsageError(f'--baseline-windows {windows} without --baselines',
                         hint='--baselines ets theta arima, or some of them')
    if windows is not None and windows < 0:
        raise UsageError(f'--baseline-windows {windows} is below 0',
                         hint='a number of windows, or 0 for all')
    check_methods(options.baselines)


def add_rows_and_intervals(record: TestRecord, result: ForecastEvaluation, parts: SeriesParts,
                           forecast: Callable[[SeriesWindows], ForecastWindows], checkpoint: dict,
                           options: TestOptions, console: Console) -> None:
    """Add what simple methods reach on the same windows, and how all their intervals hold.

    Args:
        record: Of the test, to which it is added.
        result: What the forecaster gave.
        parts: The windows.
        forecast: Lets the forecaster forecast the windows before them.
        checkpoint: With its intervals.
        options: Which slow methods, on how many windows.
        console: Where progress is shown.
    """
    record.baselines, record.series_errors = baseline_errors(parts, record.split)
    if result.dataset.ids:
        _add_panel(record, result)
    sampled = _slow_rows(parts, record.split, options, result, console)
    if OWN in sampled:
        record.sampled_baselines = sampled
    else:  # they are of all windows
        record.baselines |= sampled
    record.metrics |= _interval_row(record.split, result, parts, forecast, checkpoint)


def _interval_row(split: str, result: ForecastEvaluation, parts: SeriesParts,
                  forecast: Callable[[SeriesWindows], ForecastWindows], checkpoint: dict
                  ) -> dict[str, float]:
    before = windows_before(parts, split)
    if before is None and split == 'test':
        return _static_row(result, checkpoint)
    sums = interval_sums()
    for each in bounded_windows(result.windows, before and forecast(before), split):
        sums.add(each)
    return sums.row()


def _static_row(result: ForecastEvaluation, checkpoint: dict) -> dict[str, float]:
    """Of the intervals that the checkpoint holds, where nothing lies before the test part."""
    windows, places = result.windows, np.arange(result.samples)
    bounds = interval_bounds(checkpoint.get('intervals') or [], result.forecasts, result.quantiles,
                             windows.series if result.dataset.ids else None)
    if not bounds:
        return {}
    levels, low, high = zip(*bounds, strict=True)
    sums = IntervalSums(levels, levels)
    sums.add(Bounded(places, windows.take(places), np.stack(low), np.stack(high)))
    return sums.row()


def _add_panel(record: TestRecord, result: ForecastEvaluation) -> None:
    """Errors weighted by size, with every series counting once, and of each series."""
    row, by_series = errors_of(result.dataset,
                               lambda batch: result.forecasts[batch['index'].numpy()])
    for name in ('forecast/wape', 'forecast/series_mae'):
        record.metrics[name] = row[name]
    if by_series:
        record.series_errors = {OWN: by_series, **record.series_errors}


def _slow_rows(parts: SeriesParts, split: str, options: TestOptions, result: ForecastEvaluation,
               console: Console) -> dict[str, dict[str, float]]:
    """Rows of the methods that were asked for; on fewer windows than all, the model's too."""
    if not options.baselines:
        return {}
    wanted = DEFAULT_WINDOWS if options.baseline_windows is None else options.baseline_windows
    windows = sample_windows(result.samples, wanted)
    rows = method_rows(parts, split, options.baselines, windows, console)
    return rows if len(windows) == result.samples else {OWN: own_row(result, windows), **rows}


def show_rows(record: TestRecord, own_name: str, console: Console) -> None:
    """Print the table of errors, and the other metrics below it."""
    names = {'forecast/mse': 'MSE', 'forecast/mae': 'MAE', 'forecast/mse_original': 'MSE original'}
    if 'forecast/wape' in record.metrics:
        names |= {'forecast/series_mae': 'MAE by series', 'forecast/wape': 'WAPE'}
    table = Table('', *names.values(), 'windows', box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = 'right'
    own = {name: record.metrics.get(name) for name in names}
    rows = {own_name: {**own, 'windows': record.samples}, **record.baselines}
    # Rows of other windows than those above must not look comparable with them.
    rows |= {f'{own_name if name == OWN else name}, sample': row
             for name, row in record.sampled_baselines.items()}
    for name, row in rows.items():
        if row is record.sampled_baselines.get(OWN):
            table.add_row()
        errors = ['' if row.get(key) is None else f'{row[key]:.4f}' for key in names]
        table.add_row(name, *errors, f'{row["windows"]:,}')
    console.print(table)
    _show_intervals(record, own_name, console)
    if record.sampled_baselines:
        say(console, f'sample: {record.sampled_baselines[OWN]["windows"]:,} of the '
                     f'{record.samples:,} windows, evenly spaced; --baseline-windows 0 takes all')
    shown = {name: value for name, value in record.metrics.items()
             if name not in names and not name.startswith('interval/')}
    parts = [f'{name} {value:.4f}' for name, value in shown.items()]
    parts += [f'loss {record.loss:.4f}', f'{record.samples_per_second:.1f} windows/s']
    epoch = f' (epoch {record.checkpoint_epoch})' if record.checkpoint_epoch else ''
    say(console, f'{record.checkpoint}{epoch} on the {record.samples:,} windows of '
                 f'`{record.split}`, MSE and MAE above in scaled units: {", ".join(parts)}')


def _show_intervals(record: TestRecord, own_name: str, console: Console) -> None:
    """Print how the intervals of all rows hold, as far as they are known."""
    rows = {own_name: record.metrics, **record.baselines}
    known = [name for name in _INTERVAL_NAMES if any(name in row for row in rows.values())]
    if not known:
        return
    table = Table('intervals: held', *(_INTERVAL_NAMES[name] for name in known), box=None,
                  pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[1:]:
        column.justify = 'right'
    for name, row in rows.items():
        cells = ['' if row.get(key) is None else f'{100 * row[key]:.1f} %'
                 if 'coverage' in key else f'{row[key]:.4f}' for key in known]
        if any(cells):
            table.add_row(name, *cells)
    console.print(table)


_INTERVAL_NAMES = {
    **{f'interval/{name}_{100 * level:g}': word or f'{100 * level:g} %' for level in INTERVAL_LEVELS
       for name, word in (('coverage', ''), ('width', 'width'), ('winkler', 'score'))},
    'interval/crps': 'CRPS'}
