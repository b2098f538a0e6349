"""The table of a sweep: its finished runs compared, its other trials listed with the reason."""

from dataclasses import dataclass, field
from pathlib import Path

from amlnn.errors import DataError
from amlnn.results.reported import Reported
from amlnn.results.store import StoredRun, find_runs
from amlnn.results.summary import Summary, compare
from amlnn.sweep.driver import Driver
from amlnn.sweep.trials import Candidate, said_of

__all__ = ['Outcome', 'outcome_of']


@dataclass
class Outcome:
    """What a sweep found."""

    runs: list[StoredRun] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    """Empty before a first trial is done."""
    unfinished: list[tuple[str, str]] = field(default_factory=list)
    """Trials without a result, each with the reason."""


def outcome_of(driver: Driver) -> Outcome:
    """Compare what is done of a sweep.

    Rows are in the order of the sweep's points; that of its baseline is compared with.
    """
    found = Outcome()
    owners: dict[Path, Candidate] = {}
    for candidate in driver.candidates:
        for trial in candidate.trials:
            state = driver.states[trial.name]
            if state.progress == 'done':
                (run,) = find_runs([driver.folder / trial.name])
                found.runs.append(run)
                owners[run.folder] = candidate
            else:
                fold = '' if trial.fold is None else f' fold {trial.fold}'
                found.unfinished.append((f'{trial.label} seed {trial.seed}{fold}', said_of(state)))
    if not found.runs:
        return found
    baseline = _baseline(driver, found.runs, owners)
    try:
        found.summaries = compare(found.runs, driver.sweep.test, baseline)
    except DataError:  # the baseline has no result on that part
        found.summaries = compare(found.runs, driver.sweep.test)
    for summary in found.summaries:
        for row in summary.rows:
            owner = owners[row.group.runs[0].folder]
            if len(driver.candidates) > 1 and driver.sweep.axes:
                row.name = row.group.name = owner.label
            row.reported = _reported(driver, owner, summary) or row.reported
        summary.notes += _how_chosen(driver, summary)
    return found


def _baseline(driver: Driver, runs: list[StoredRun],
              owners: dict[Path, Candidate]) -> StoredRun | None:
    wanted = driver.sweep.baseline
    for run in runs:
        point = owners[run.folder].point
        if isinstance(wanted, str) and run.record.config_name == wanted:
            return run
        if isinstance(wanted, dict) and all(point.get(key) == value
                                            for key, value in wanted.items()):
            return run
    return runs[0]


def _reported(driver: Driver, candidate: Candidate, summary: Summary) -> Reported | None:
    values = tuple(candidate.point.values())
    for key, figure in driver.sweep.reported.items():
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) == len(values) and all(
                part == value and type(part) is type(value)
                for part, value in zip(parts, values, strict=True)):
            return Reported(summary.metric, float(figure), driver.sweep.source)
    return None


def _how_chosen(driver: Driver, summary: Summary) -> list[str]:
    """What a reader must know of where the rows come from."""
    sweep, notes = driver.sweep, []
    if driver.search is not None and sweep.method in ('tpe', 'halving'):
        which = 'the validation part'
        notes.append(f'{sweep.method} chose these points by their results on {which}.')
    if sweep.folds:
        notes.append(f'Each row is the mean over {sweep.folds} folds of training and validation '
                     'images; intervals are over all images, and hold for these trained networks.')
    if summary.split == 'test' and len(summary.rows) > 1:
        notes.append('Each run shows the epoch that was best on the validation part. Whoever takes '
                     'the best row of this table chooses by the test part, and its figure flatters '
                     'that row; choose by validation (--split val).')
    if any(trial_state.progress in ('failed', 'pruned') for trial_state in driver.states.values()):
        failed = sum(each.progress == 'failed' for each in driver.states.values())
        pruned = sum(each.progress == 'pruned' for each in driver.states.values())
        parts = [f'{count} {word}' for count, word in ((failed, 'failed'), (pruned, 'pruned'))
                 if count]
        notes.append(f'Trials that are not in the table: {", ".join(parts)}.')
    return notes
