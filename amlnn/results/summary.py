"""A comparison of runs: one row a configuration, seeds together, with intervals and differences."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.proportions import newcombe, paired, paired_bootstrap, wilson
from amlnn.formulas.seeds import mean_and_deviation
from amlnn.records import RunRecord, is_known
from amlnn.results.grouping import Group, group_runs, repetition
from amlnn.results.kinds import kind_of, result_of
from amlnn.results.measured import TOP1, Result, stored_predictions
from amlnn.results.reported import Reported, find_reported
from amlnn.results.simple_methods import SimpleRow
from amlnn.results.store import StoredRun

__all__ = ['Difference', 'Row', 'Summary', 'compare', 'summarise']

_Method = Literal['paired', 'paired over seeds', 'unpaired', 'none']


@dataclass(frozen=True)
class Difference:
    """A row's result minus the baseline's, in the metric's unit, with its 95 % interval."""

    value: float
    low: float | None
    high: float | None
    method: _Method

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return (self.low is not None and self.low > 0) or (self.high is not None and self.high < 0)


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
    def samples_per_second(self) -> float | None:
        """Mean over seeds of training images a second, epochs weighted by their length."""
        rates = []
        for record in self.records:
            timed = [epoch for epoch in record.epochs
                     if is_known(epoch.samples_per_second) and epoch.train_seconds]
            if timed:
                rates.append(sum(epoch.train_seconds * epoch.samples_per_second for epoch in timed)
                             / sum(epoch.train_seconds for epoch in timed))
        return _mean(rates)

    @property
    def status(self) -> str:
        """The seeds' common status, or each different one."""
        return ', '.join(sorted({record.status for record in self.records}))

    def over_seeds(self, metric: str, split: str) -> tuple[float, float | None] | None:
        """Mean and standard deviation over seeds of any recorded metric; None without.

        Of the test records; of a classifier that has none on 'val', of its best epoch.
        """
        values = [value for run in self.group.runs if (value := kind_of(
            run.record).recorded_metric(run, metric, split)) is not None]
        if not values:
            return None
        return mean_and_deviation(values)


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
    title: str = ''
    """Of the table, where somebody gave it one."""

    @property
    def kind(self) -> str:
        """As the records have it: a key of `amlnn.results.kinds.KINDS`."""
        return self.rows[0].record.kind

    @property
    def runs(self) -> list[StoredRun]:
        """Every run in the order of the rows, those that a row leaves out after those it counts."""
        return [run for row in self.rows
                for run in (*row.group.runs, *(other for other, _ in row.group.left_out))]

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

    >>> summaries = compare([tiny_run(), tiny_forecaster()])
    >>> [(summary.metric, summary.rows[0].value) for summary in summaries]
    [('accuracy/top1', 75.0), ('forecast/mse', 0.5)]
    """
    tasks: dict[tuple[object, ...], list[StoredRun]] = {}
    for run in runs:
        tasks.setdefault(kind_of(run.record).task(run), []).append(run)
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

    >>> row = summarise([tiny_run(seed=0), tiny_run(seed=1)]).rows[0]
    >>> row.name, row.value, row.sd, (round(row.low), round(row.high))
    ('tiny', 75.0, 0.0, (30, 95))
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
    kind = kind_of(runs[0].record)
    metric = next((row.results[0].metric for row in rows if row.results), kind.metric)
    for row in rows:
        _add_reported(row, metric, notes)
    reference = _baseline(rows, baseline) if kind.first_is_baseline or baseline is not None \
        else None
    for row in rows:
        if reference is not None and row is not reference:
            row.difference = _difference(row, reference, split)
    _note_what_matters(rows, reference, split, notes)
    simple, more, data = kind.beside(rows, split)
    return Summary(rows, split, metric, reference, notes + more, simple, data)


def _row(group: Group, split: str, notes: list[str]) -> Row:
    results = [result for run in group.runs if (result := result_of(run, split)) is not None]
    row = Row(group.name, group, results)
    for run in group.runs:
        notes.extend(kind_of(run.record).contradictions(run, split))
    if not results:
        return row
    row.value, row.sd = mean_and_deviation([result.value for result in results])
    row.samples = _samples(group, results, split)
    if row.samples and results[0].metric == TOP1:
        # Seeds see the same images, so more seeds make this interval no narrower.
        row.low, row.high = (100 * limit for limit in wilson(row.value / 100, row.samples))
    return row


def _samples(group: Group, results: list[Result], split: str) -> int | None:
    """How many samples a row is measured on; None where its runs do not agree.

    The validation parts of folds are different images, which one seed sees once each.
    """
    if split == 'val' and _folds(group.runs) and len(results) == len(group.runs):
        counts: dict[int, int] = {}
        for run, result in zip(group.runs, results, strict=True):
            counts[run.record.seed] = counts.get(run.record.seed, 0) + (result.samples or 0)
        samples: set[int | None] = {*counts.values()}
    else:
        samples = {result.samples for result in results}
    return samples.pop() if len(samples) == 1 else None


def _folds(runs: Sequence[StoredRun]) -> bool:
    return any(repetition(run)[1] >= 0 for run in runs)


def _difference(row: Row, reference: Row, split: str) -> Difference | None:
    if row.value is None or reference.value is None:
        return None
    value = row.value - reference.value
    if row.low is None or reference.low is None or not row.samples or not reference.samples:
        return Difference(value, None, None, 'none')
    aligned = _aligned(row.group.runs, reference.group.runs, split)
    if aligned is None:
        method: _Method = 'unpaired'
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
    mine, theirs = (_repetitions(each, split) for each in (runs, others))
    for parts in [*mine, *theirs]:
        predictions = [stored_predictions(run, split) for run in parts]
        known = [each for each in predictions if each is not None]
        if len(known) < len(predictions):
            return None
        ids = np.concatenate([each.ids for each in known])
        order = np.argsort(ids, kind='stable')
        ids, labels = ids[order], np.concatenate([each.labels for each in known])[order]
        if reference is None:
            if (ids[1:] == ids[:-1]).any():  # a repeated id cannot be matched
                return None
            reference = ids, labels
        elif not (np.array_equal(ids, reference[0]) and np.array_equal(labels, reference[1])):
            return None
        correct.append(np.concatenate([each.correct for each in known])[order])
    return np.stack(correct[:len(mine)]), np.stack(correct[len(mine):])


def _repetitions(runs: Sequence[StoredRun], split: str) -> list[list[StoredRun]]:
    """Runs that see every image once together: the folds of a seed, or a run."""
    if split != 'val' or not _folds(runs):
        return [[run] for run in runs]
    seeds: dict[int, list[StoredRun]] = {}
    for run in runs:
        seeds.setdefault(run.record.seed, []).append(run)
    return list(seeds.values())


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
        notes.append(f'{row.name}: reported is {reported.metric} {reported.value}, which this '
                     f'table of {metric} does not show.')


def _note_what_matters(rows: list[Row], reference: Row | None, split: str,
                       notes: list[str]) -> None:
    trained = any(record.epochs for row in rows for record in row.records)
    samples = kind_of(rows[0].record).samples
    if split == 'val' and trained and any(row.results for row in rows):
        notes.append(f'Each run shows its best epoch, chosen on the same validation {samples}: '
                     'this flatters every row a little.')
    for row in rows:
        for changed in dict.fromkeys(_changes_of_data(row, split)):
            notes.append(f'{row.name}: {samples} that it was trained on may be in its {split} '
                         f'part, for its data changed: {changed}.')
    if reference is None:
        return
    for row in rows:
        mine, other = row.record.data_manifest_hash, reference.record.data_manifest_hash
        if row.value is not None and mine and other and mine != other:
            notes.append(f'{row.name} used other data than {reference.name}.')


def _changes_of_data(row: Row, split: str) -> Iterator[str]:
    """How the data of a row's runs changed while, or since, they were trained."""
    for run in row.group.runs:
        test = run.tests.get(split)
        if changed := (test and test.data_changed) or run.record.data_changed:
            yield changed


def _mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None
