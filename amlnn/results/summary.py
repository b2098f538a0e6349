"""A comparison of runs: one row a configuration, seeds together, with intervals and differences."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from amlnn.errors import DataError
from amlnn.records import RunRecord
from amlnn.results.grouping import Group, group_runs, settings
from amlnn.results.intervals import newcombe, paired, paired_bootstrap, wilson
from amlnn.results.reported import Reported, find_reported
from amlnn.results.store import Predictions, StoredRun

__all__ = ['Difference', 'Result', 'Row', 'SimpleRow', 'Summary', 'compare', 'result_of',
           'summarise']

TOP1 = 'accuracy/top1'
MSE = 'forecast/mse'


@dataclass(frozen=True)
class Result:
    """What one run measured on one split; accuracies in percent."""

    metric: str
    value: float
    samples: int | None
    source: Literal['predictions', 'test record', 'run record']


@dataclass(frozen=True)
class Difference:
    """A row's result minus the baseline's, in the metric's unit, with its 95 % interval."""

    value: float
    low: float | None
    high: float | None
    method: Literal['paired', 'paired over seeds', 'unpaired', 'none']

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and (self.low > 0 or self.high < 0)


@dataclass
class Row:
    """One configuration: means over its seeds. None means not known."""

    name: str
    group: Group
    results: list[Result]
    value: float | None = None
    sd: float | None = None
    """Sample standard deviation over seeds; None for one seed."""
    samples: int | None = None
    low: float | None = None
    high: float | None = None
    difference: Difference | None = None
    reported: Reported | None = None

    @property
    def record(self) -> RunRecord:
        """Of the first seed: what all seeds share."""
        return self.group.runs[0].record

    @property
    def records(self) -> list[RunRecord]:
        """Of every seed."""
        return [run.record for run in self.group.runs]

    @property
    def seconds(self) -> float | None:
        """Mean over seeds of the seconds of training and validation; None if none was trained."""
        return _mean([record.total_seconds for record in self.records if record.epochs])

    @property
    def images_per_second(self) -> float | None:
        """Mean over seeds of training images a second, epochs weighted by their length."""
        rates = []
        for record in self.records:
            timed = [epoch for epoch in record.epochs
                     if _finite(epoch.images_per_second) and epoch.train_seconds]
            if timed:
                rates.append(sum(epoch.train_seconds * epoch.images_per_second for epoch in timed)
                             / sum(epoch.train_seconds for epoch in timed))
        return _mean(rates)

    @property
    def best_validation(self) -> float | None:
        """Mean over seeds of the best monitored validation metric."""
        return _mean([record.best_value for record in self.records
                      if record.best_value is not None])

    @property
    def status(self) -> str:
        """The seeds' common status, or each different one."""
        return ', '.join(sorted({record.status for record in self.records}))

    def over_seeds(self, metric: str, split: str) -> tuple[float, float | None] | None:
        """Mean and standard deviation over seeds of any recorded metric; None without.

        Of the test records; of a classifier that has none on 'val', of its best epoch.
        """
        values = [_recorded(run, metric, split) for run in self.group.runs]
        values = [value for value in values if value is not None]
        if not values:
            return None
        return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class SimpleRow:
    """A simple method on the same windows as the forecasters of a table; nothing is trained."""

    name: str
    metrics: dict[str, float]
    samples: int


@dataclass
class Summary:
    """A comparison of configurations on one split."""

    rows: list[Row]
    split: str
    metric: str
    baseline: Row | None
    notes: list[str] = field(default_factory=list)
    """What a reader must know to trust the table, one sentence each."""
    simple: list[SimpleRow] = field(default_factory=list)
    """What simple methods reach, for forecasts."""
    data: str = ''
    """What is forecast, in words."""

    @property
    def kind(self) -> str:
        """'classification' or 'forecasting'."""
        return self.rows[0].record.kind

    @property
    def table_rows(self) -> list[Row | SimpleRow]:
        """All rows of the table."""
        return [*self.rows, *self.simple]


def compare(runs: Sequence[StoredRun], split: str | None = None,
            baseline: StoredRun | None = None) -> list[Summary]:
    """Compare runs that can be compared: one summary for classifiers, one for each forecast task.

    Forecasters have one task if their series, its parts, the horizon and the distance of the
    windows are the same.

    Args:
        runs: At least one.
        split: See `summarise`.
        baseline: Of one of the summaries.

    Raises:
        DataError: the baseline is not among the runs.
    """
    tasks: dict[tuple, list[StoredRun]] = {}
    for run in runs:
        tasks.setdefault(_task(run), []).append(run)
    holds = [baseline is not None and any(run.folder == baseline.folder for run in members)
             for members in tasks.values()]
    if baseline is not None and not any(holds):
        holds[0] = True  # which says what is wrong
    return [summarise(members, split, baseline if mine else None)
            for members, mine in zip(tasks.values(), holds, strict=True)]


def summarise(runs: Sequence[StoredRun], split: str | None = None,
              baseline: StoredRun | None = None) -> Summary:
    """Compare runs.

    Args:
        runs: At least one; seeds of one configuration become one row.
        split: 'val' or 'test'; by default 'test' if every configuration has a result on it, else
            'val'.
        baseline: A run of the configuration that the others are compared with; by default the first
            finished one of the classifiers that has a result. Forecasters are compared with the
            simple methods.

    Raises:
        DataError: runs of different kinds, or a baseline that is not among them.
    """
    kinds = {run.record.kind for run in runs}
    if len(kinds) > 1:
        raise DataError(f'runs of different kinds cannot be compared: {", ".join(sorted(kinds))}',
                        hint='make one report for each kind')
    groups = group_runs(runs)
    notes = [f'{run.name} is left out of the table: {reason}.'
             for group in groups for run, reason in group.left_out]
    split = split or _common_split(groups)
    rows = [_row(group, split, notes) for group in groups]
    forecast = kinds == {'forecasting'}
    metric = next((row.results[0].metric for row in rows if row.results),
                  MSE if forecast else TOP1)
    for row in rows:
        _add_reported(row, metric, notes)
    reference = None if forecast and baseline is None else _baseline(rows, baseline)
    for row in rows:
        if reference is not None and row is not reference and row.value is not None:
            row.difference = _difference(row, reference, split)
    _note_what_matters(rows, reference, split, notes)
    if not forecast:
        return Summary(rows, split, metric, reference, notes)
    _note_forecasts(rows, split, notes)
    return Summary(rows, split, metric, reference, notes, _simple_rows(rows, split),
                   _describe(rows))


def result_of(run: StoredRun, split: str) -> Result | None:
    """Return the run's result on a split: from its predictions, else from its records, else None.

    For 'val' without predictions it is the metric of the best epoch.
    """
    record = run.record
    metric = TOP1 if record.kind == 'classification' else \
        MSE if record.monitor is None or record.monitor == 'val_loss' else record.monitor
    if record.kind == 'classification':
        predictions = _predictions(run, split)
        if predictions is not None:
            return Result(TOP1, 100 * float(predictions.correct.mean()), len(predictions.ids),
                          'predictions')
    test = run.tests.get(split)
    if test is not None and _finite(test.metrics.get(metric)):
        return Result(metric, test.metrics[metric], test.samples, 'test record')
    if split == 'val':
        value = _best_epoch_value(record, metric)
        if value is not None:
            return Result(metric, value, record.samples.get('val'), 'run record')
    return None


def _row(group: Group, split: str, notes: list[str]) -> Row:
    results = [result for run in group.runs if (result := result_of(run, split)) is not None]
    row = Row(group.name, group, results)
    for run in group.runs:
        notes.extend(_contradictions(run, split))
    if not results:
        return row
    values = [result.value for result in results]
    row.value = statistics.fmean(values)
    row.sd = statistics.stdev(values) if len(values) > 1 else None
    samples = {result.samples for result in results}
    row.samples = samples.pop() if len(samples) == 1 else None
    if row.samples and results[0].metric == TOP1:
        # Seeds see the same images, so more seeds make this interval no narrower.
        row.low, row.high = (100 * limit for limit in wilson(row.value / 100, row.samples))
    return row


def _difference(row: Row, reference: Row, split: str) -> Difference:
    value = row.value - reference.value
    if row.low is None or reference.low is None:
        return Difference(value, None, None, 'none')
    aligned = _aligned(row.group.runs, reference.group.runs, split)
    if aligned is None:
        method = 'unpaired'
        limits = newcombe(row.value / 100, row.samples, reference.value / 100, reference.samples)
    elif len(aligned[0]) == len(aligned[1]) == 1:
        method = 'paired'
        limits = paired(aligned[0][0], aligned[1][0])
    else:
        method = 'paired over seeds'
        limits = paired_bootstrap(*aligned)
    return Difference(value, 100 * limits[0], 100 * limits[1], method)


def _aligned(runs: list[StoredRun], others: list[StoredRun],
             split: str) -> tuple[np.ndarray, np.ndarray] | None:
    """[S, N] and [T, N] bool, right or wrong by image, if all runs hold the same images."""
    correct: list[np.ndarray] = []
    reference = None
    for run in [*runs, *others]:
        predictions = _predictions(run, split)
        if predictions is None:
            return None
        order = np.argsort(predictions.ids, kind='stable')
        ids, labels = predictions.ids[order], predictions.labels[order]
        if reference is None:
            if (ids[1:] == ids[:-1]).any():  # a repeated id cannot be matched
                return None
            reference = ids, labels
        elif not (np.array_equal(ids, reference[0]) and np.array_equal(labels, reference[1])):
            return None
        correct.append(predictions.correct[order])
    return np.stack(correct[:len(runs)]), np.stack(correct[len(runs):])


def _baseline(rows: list[Row], run: StoredRun | None) -> Row | None:
    if run is None:
        measured = [row for row in rows if row.value is not None]
        return next((row for row in measured if row.status == 'done'), next(iter(measured), None))
    for row in rows:
        known = [*row.group.runs, *(other for other, _ in row.group.left_out)]
        if any(other.folder == run.folder for other in known):
            if row.value is None:
                raise DataError(f'the baseline `{run.name}` has no result to compare with',
                                hint='choose another, or evaluate it: python tools/test.py')
            return row
    raise DataError(f'the baseline `{run.name}` is not among the runs',
                    hint='give its run folder with the others')


def _common_split(groups: list[Group]) -> str:
    has_test = [any(result_of(run, 'test') for run in group.runs) for group in groups]
    return 'test' if has_test and all(has_test) else 'val'


def _add_reported(row: Row, metric: str, notes: list[str]) -> None:
    try:
        reported = find_reported(row.record)
    except DataError as error:
        notes.append(f'The reported figure of {row.name} is left out: {error.message}.')
        return
    if reported is not None and reported.metric == metric:
        row.reported = reported
    elif reported is not None:
        notes.append(f'{row.name}: reported is {reported.metric} {reported.value:g}, which this '
                     f'table of {metric} does not show.')


def _contradictions(run: StoredRun, split: str) -> list[str]:
    """Say where a run's predictions and its records disagree by an image or more."""
    if run.record.kind != 'classification':
        return _unlike_forecasts(run, split)
    if run.record.kind != 'classification':
        return []
    try:
        predictions = run.predictions(split)
    except DataError as error:
        return [f'{run.name}: {error.message}.'] if run.has_predictions(split) else []
    measured = 100 * float(predictions.correct.mean())
    test = run.tests.get(split)
    if test is not None:
        recorded, where = test.metrics.get(TOP1), f'test_{split}.json'
    elif split == 'val':
        recorded, where = _best_epoch_value(run.record, TOP1), 'run.json'
    else:
        return []
    if not _finite(recorded) or abs(recorded - measured) < 99.99 / len(predictions.ids):
        return []
    note = (f'{run.name}: predictions_{split}.npz gives {measured:.2f} %, {where} '
            f'{recorded:.2f} %; the table shows the former.')
    ties = _tied_with_label(predictions)
    if abs(recorded - measured) < 100 * (ties + 0.5) / len(predictions.ids):
        # Low precision makes equal scores, and two programs may each take another of the equals.
        note += (f' For {ties} image{"s" * (ties != 1)} another class is as probable as the right '
                 'one, which explains it.')
    return [note]


def _unlike_forecasts(run: StoredRun, split: str) -> list[str]:
    """Say where a run's forecasts and its test record disagree."""
    if split not in run.tests or not run.has_predictions(split):
        return []
    try:
        measured = run.forecasts(split).mse
    except DataError as error:
        return [f'{run.name}: {error.message}.']
    recorded = run.tests[split].metrics.get(MSE)
    if not _finite(recorded) or math.isclose(recorded, measured, rel_tol=1e-3):
        return []
    return [f'{run.name}: predictions_{split}.npz gives an MSE of {measured:.4g}, '
            f'test_{split}.json {recorded:.4g}; the table shows the latter.']


def _tied_with_label(predictions: Predictions) -> int:
    """The number of images whose label shares the largest probability with another class."""
    top = predictions.probs == predictions.probs.max(axis=1, keepdims=True)
    mine = top[np.arange(len(top)), predictions.labels]
    return int((mine & (top.sum(axis=1) > 1)).sum())


def _note_what_matters(rows: list[Row], reference: Row | None, split: str,
                       notes: list[str]) -> None:
    trained = any(record.epochs for row in rows for record in row.records)
    samples = 'images' if rows[0].record.kind == 'classification' else 'windows'
    if split == 'val' and trained and any(row.results for row in rows):
        notes.append(f'Each run shows its best epoch, chosen on the same validation {samples}: '
                     'this flatters every row a little.')
    if reference is None:
        return
    for row in rows:
        mine, other = row.record.data_manifest_hash, reference.record.data_manifest_hash
        if row.value is not None and mine and other and mine != other:
            notes.append(f'{row.name} used other data than {reference.name}.')


def _note_forecasts(rows: list[Row], split: str, notes: list[str]) -> None:
    """What a table of forecasts must say: copies of test windows, and rows that are not there."""
    for row in rows:
        test = row.group.runs[0].tests.get(split)
        if test is not None and test.repeated_windows:
            notes.append(
                f'{row.name}: {test.repeated_windows:,} of {test.samples:,} windows of {split} '
                'occur in the training part too, number by number; their error says nothing about '
                'a forecast.')
    if rows and not any(split in run.tests for row in rows for run in row.group.runs):
        notes.append('The rows of simple methods come with an evaluation: python tools/test.py '
                     'CONFIG CHECKPOINT.')


def _simple_rows(rows: list[Row], split: str) -> list[SimpleRow]:
    """What the test records say of simple methods; where two disagree, the row it belongs to.

    Some depend on the look-back, which may differ between the rows of a table.
    """
    found: dict[str, list[tuple[SimpleRow, str]]] = {}
    for row in rows:
        for run in row.group.runs:
            test = run.tests.get(split)
            for name, values in (test.baselines if test is not None else {}).items():
                metrics = {key: value for key, value in values.items()
                           if key != 'windows' and value is not None}
                simple = SimpleRow(name, metrics | _in_original_units(run, split, metrics),
                                   int(values['windows']))
                known = found.setdefault(name, [])
                if not any(_alike(simple, other) for other, _ in known):
                    known.append((simple, row.name))
    shown = []
    for name, known in found.items():
        shown += [simple if len(known) == 1 else
                  SimpleRow(f'{name} (windows of {owner})', simple.metrics, simple.samples)
                  for simple, owner in known]
    return shown


def _alike(one: SimpleRow, other: SimpleRow) -> bool:
    return one.samples == other.samples and all(
        math.isclose(value, other.metrics.get(key, math.nan), rel_tol=1e-5)
        for key, value in one.metrics.items())


def _in_original_units(run: StoredRun, split: str, metrics: dict[str, float]) -> dict[str, float]:
    """MSE and MAE in the units of the data, where there is one column and so one scale."""
    try:
        deviation = run.forecasts(split).deviation
    except DataError:
        return {}
    if len(deviation) != 1:
        return {}
    factors = {'forecast/mse': deviation[0] ** 2, 'forecast/mae': deviation[0]}
    return {f'{name}_original': float(metrics[name] * factor)
            for name, factor in factors.items() if name in metrics}


def _task(run: StoredRun) -> tuple:
    """What runs must share to be compared."""
    if run.record.kind == 'classification':
        return ('classification',)
    known = settings(run)
    sizes = (known.get(f'{part}_dataloader.dataset.{name}')
             for part in ('train', 'val', 'test') for name in ('horizon', 'stride')
             if (part, name) != ('train', 'stride'))
    return (run.record.kind, run.record.data_manifest_hash, *sizes)


def _describe(rows: list[Row]) -> str:
    run = rows[0].group.runs[0]
    known = settings(run)
    horizon = known.get('train_dataloader.dataset.horizon')
    steps = f', {horizon} step{"s" * (horizon != "1")} ahead' if horizon else ''
    preset = known.get('train_dataloader.dataset.source.preset', '').strip("'")
    made = f'the generated series {preset}' if preset else 'a generated series'
    return f'{Path(run.record.data_root).name if run.record.data_root else made}{steps}'


def _predictions(run: StoredRun, split: str) -> Predictions | None:
    try:
        return run.predictions(split)
    except DataError:
        return None


def _recorded(run: StoredRun, metric: str, split: str) -> float | None:
    test = run.tests.get(split)
    if test is not None and _finite(test.metrics.get(metric)):
        return test.metrics[metric]
    if split == 'val' and run.record.kind == 'classification':
        return _best_epoch_value(run.record, metric)
    return None


def _best_epoch_value(record: RunRecord, metric: str | None) -> float | None:
    if metric == record.monitor and _finite(record.best_value):
        return record.best_value
    for epoch in record.epochs:
        if epoch.epoch == record.best_epoch and _finite(epoch.metrics.get(metric)):
            return epoch.metrics[metric]
    return None


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None
