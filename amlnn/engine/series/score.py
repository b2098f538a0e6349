"""What only the test of a forecaster has: simple methods beside it, and how its intervals hold."""

import numpy as np
from rich.console import Console
from rich.table import Table

from amlnn.console import say
from amlnn.engine.options import TestOptions
from amlnn.engine.series.baseline_rows import baseline_errors, errors_of
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
from amlnn.formulas.quantiles import coverage, interval_width
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
                           checkpoint: dict, options: TestOptions, console: Console) -> None:
    """Add what simple methods reach on the same windows, and the intervals' coverage and width.

    Args:
        record: Of the test, to which it is added.
        result: What the forecaster gave.
        parts: The windows.
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
    codes = result.dataset.window_codes(np.arange(result.samples)) if result.dataset.ids else None
    for level, low, high in interval_bounds(checkpoint.get('intervals') or [], result.forecasts,
                                            result.quantiles, codes):
        name = f'{100 * level:g}'
        record.metrics[f'interval/coverage_{name}'] = float(np.mean(
            coverage(result.targets, low, high, result.observed)))
        record.metrics[f'interval/width_{name}'] = float(np.mean(
            interval_width(low, high, result.observed)))


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
    if record.sampled_baselines:
        say(console, f'sample: {record.sampled_baselines[OWN]["windows"]:,} of the '
                     f'{record.samples:,} windows, evenly spaced; --baseline-windows 0 takes all')
    shown = {name: value for name, value in record.metrics.items() if name not in names}
    parts = [f'{name} {value:.4f}' for name, value in shown.items()]
    parts += [f'loss {record.loss:.4f}', f'{record.samples_per_second:.1f} windows/s']
    epoch = f' (epoch {record.checkpoint_epoch})' if record.checkpoint_epoch else ''
    say(console, f'{record.checkpoint}{epoch} on the {record.samples:,} windows of '
                 f'`{record.split}`, MSE and MAE above in scaled units: {", ".join(parts)}')
