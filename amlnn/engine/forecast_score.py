"""Evaluates a forecaster's checkpoint on a part of its series, with the baselines beside it."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from amlnn.console import say
from amlnn.engine.adapt import Plan
from amlnn.engine.baseline_rows import baseline_rows
from amlnn.engine.build import (
    build_evaluator,
    build_loader,
    build_model,
    device_name,
    forward_context,
    in_scope,
)
from amlnn.engine.forecasting import (
    ForecastEvaluation,
    evaluate_forecaster,
    interval_bounds,
    write_forecasts,
)
from amlnn.engine.run.checkpoint import load_weights
from amlnn.engine.run.folder import checkpoint_run, name_within, utc_now
from amlnn.engine.run.runner import library_versions
from amlnn.engine.sampled_rows import (
    DEFAULT_WINDOWS,
    check_methods,
    method_rows,
    own_row,
    sample_windows,
)
from amlnn.engine.untrained import untrained_run
from amlnn.errors import UsageError
from amlnn.formulas.quantiles import coverage, interval_width
from amlnn.records import OWN, TestRecord, write_record

__all__ = ['score_forecaster']


def score_forecaster(plan: Plan, checkpoint: dict, options, console: Console) -> TestRecord:
    """Evaluate, print, and write the record and the forecasts into the checkpoint's run folder.

    Args:
        plan: A forecast's, of the checkpoint.
        checkpoint: What was read.
        options: TestOptions of `amlnn.engine.test`.
        console: Where to print.

    Raises:
        AmlnnError: config, checkpoint and data do not fit one another.
    """
    if options.tta:
        raise UsageError('--tta averages over views of images, and this is a forecast',
                         hint='leave it out')
    _check_baselines(options)
    split = options.split or ('test' if plan.config.get('test_dataloader') else 'val')
    with in_scope(plan.config):
        loader = build_loader(plan, split)
        model, _ = build_model(plan, weights=False)
        load_weights(model, checkpoint, options.checkpoint)
        evaluator = build_evaluator(plan, split, loader)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(f'testing on {split}', total=len(loader.dataset))
            result = evaluate_forecaster(model, loader, evaluator, forward_context(plan),
                                         lambda count: bar.advance(task, count))
        baselines = baseline_rows(plan.series, split)
        sampled = _slow_rows(plan, split, options, result, console)
        if OWN not in sampled:  # they are of all windows
            baselines, sampled = baselines | sampled, {}
    metrics = dict(result.metrics)
    for level, low, high in interval_bounds(checkpoint.get('intervals') or [], result.forecasts,
                                            result.quantiles):
        name = f'{100 * level:g}'
        metrics[f'interval/coverage_{name}'] = float(np.mean(
            coverage(result.targets, low, high, result.observed)))
        metrics[f'interval/width_{name}'] = float(np.mean(
            interval_width(low, high, result.observed)))
    folder = checkpoint_run(options.checkpoint) or untrained_run(
        plan, model, {split: result.samples}, str(options.checkpoint), options.command)
    overlap = loader.dataset.overlap() if split == 'test' else None
    record = TestRecord(
        checkpoint=name_within(folder, options.checkpoint),
        checkpoint_epoch=checkpoint['meta'].get('epoch'), split=split,
        samples=result.samples, loss=result.loss, metrics=metrics,
        seconds=round(result.seconds, 3),
        samples_per_second=round(result.samples / result.seconds, 2),
        device=device_name(plan.device), precision=plan.precision, data_root=plan.data_root,
        data_manifest_hash=plan.data_hash(), versions=library_versions('forecasting'),
        created=utc_now(), baselines=baselines, sampled_baselines=sampled,
        repeated_windows=overlap.count if overlap else None)
    write_forecasts(folder / f'predictions_{split}.npz', result, plan.series.metainfo)
    write_record(folder / f'test_{split}.json', record)
    if options.out:
        write_record(options.out, record)
    _print(record, folder, plan, console)
    if overlap and overlap.count:
        say(console, overlap.describe(), 'warning')
    return record


def _check_baselines(options) -> None:
    windows = options.baseline_windows
    if windows is not None and not options.baselines:
        raise UsageError(f'--baseline-windows {windows} without --baselines',
                         hint='--baselines ets theta arima, or some of them')
    if windows is not None and windows < 0:
        raise UsageError(f'--baseline-windows {windows} is below 0',
                         hint='a number of windows, or 0 for all')
    check_methods(options.baselines)


def _slow_rows(plan: Plan, split: str, options, result: ForecastEvaluation,
               console: Console) -> dict[str, dict[str, float]]:
    """Rows of the methods that were asked for; on fewer windows than all, the model's too."""
    if not options.baselines:
        return {}
    wanted = DEFAULT_WINDOWS if options.baseline_windows is None else options.baseline_windows
    windows = sample_windows(result.samples, wanted)
    rows = method_rows(plan.series, split, options.baselines, windows, console)
    return rows if len(windows) == result.samples else {OWN: own_row(result, windows), **rows}


def _print(record: TestRecord, folder: Path, plan: Plan, console: Console) -> None:
    table = Table('', 'MSE', 'MAE', 'MSE original', 'windows', box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = 'right'
    names = ('forecast/mse', 'forecast/mae', 'forecast/mse_original')
    own = {name: record.metrics.get(name) for name in names}
    rows = {plan.loaded.name: {**own, 'windows': record.samples}, **record.baselines}
    # Rows of other windows than those above must not look comparable with them.
    rows |= {f'{plan.loaded.name if name == OWN else name}, sample': row
             for name, row in record.sampled_baselines.items()}
    for name, row in rows.items():
        if row is record.sampled_baselines.get(OWN):
            table.add_row()
        errors = ['' if row[key] is None else f'{row[key]:.4f}' for key in names]
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
    say(console, f'written: {folder / f"test_{record.split}.json"}')
