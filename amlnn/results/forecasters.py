"""Forecasters in a comparison: a table for each task, with the rows of simple methods."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.command import command_line
from amlnn.config.kind import PARTS
from amlnn.errors import DataError
from amlnn.records import RunRecord, is_known
from amlnn.results.comparable import Comparable
from amlnn.results.grouping import settings
from amlnn.results.measured import MSE
from amlnn.results.simple_methods import SimpleRow, simple_rows
from amlnn.results.store import StoredRun

if TYPE_CHECKING:
    from amlnn.results.summary import Row

__all__ = ['Forecasters']


class Forecasters(Comparable):
    """Those of one series, its parts, the horizon and the distance of the windows stand together.

    They are compared with the simple methods.
    """

    metric = MSE
    samples = 'windows'
    first_is_baseline = False

    def metric_of(self, record: RunRecord) -> str:
        """The monitored error, else the mean squared one."""
        return MSE if record.monitor is None or record.monitor == 'val_loss' else record.monitor

    def task(self, run: StoredRun) -> tuple[object, ...]:
        """The kind, the series and the sizes of its windows."""
        known = settings(run)
        sizes = (known.get(f'{part}_dataloader.dataset.{name}')
                 for part in PARTS for name in ('horizon', 'stride')
                 if (part, name) != ('train', 'stride'))
        return (run.record.kind, run.record.data_manifest_hash, *sizes)

    def contradictions(self, run: StoredRun, split: str) -> list[str]:
        """Say where the forecasts and the test record disagree."""
        if split not in run.tests or not run.has_predictions(split):
            return []
        try:
            measured = run.forecasts(split).mse
        except DataError as error:
            return [f'{run.name}: {error.message}.']
        recorded = run.tests[split].metrics.get(MSE)
        if not is_known(recorded) or math.isclose(recorded, measured, rel_tol=1e-3):
            return []
        return [f'{run.name}: predictions_{split}.npz gives an MSE of {measured:.4g}, '
                f'test_{split}.json {recorded:.4g}; the table shows the latter.']

    def beside(self, rows: Sequence['Row'], split: str) -> tuple[list[SimpleRow], list[str], str]:
        """The simple methods; notes on copies of test windows and rows that are not there."""
        notes = []
        for row in rows:
            test = row.group.runs[0].tests.get(split)
            if test is not None and test.repeated_windows:
                notes.append(
                    f'{row.name}: {test.repeated_windows:,} of {test.samples:,} windows of {split} '
                    'occur in the training part too, number by number; their error says nothing '
                    'about a forecast.')
        if rows and not any(split in run.tests for row in rows for run in row.group.runs):
            notes.append('The rows of simple methods come with an evaluation: '
                         f'{command_line("test")} CONFIG CHECKPOINT.')
        simple, more = simple_rows(rows, split)
        return simple, notes + more, _describe(rows[0].group.runs[0], split)


def _describe(run: StoredRun, split: str) -> str:
    known = settings(run)
    horizon = known.get('train_dataloader.dataset.horizon')
    if not isinstance(horizon, int):  # it was found out
        horizon = _stored_horizon(run, split)
    steps = f', {horizon} step{"s" * (horizon != 1)} ahead' if horizon else ''
    preset = known.get('train_dataloader.dataset.source.preset')
    made = f'the generated series {preset}' if preset else 'a generated series'
    count = _series_count(run, split)
    many = f', {count:,} series' if count else ''
    return f'{Path(run.record.data_root).name if run.record.data_root else made}{many}{steps}'


def _stored_horizon(run: StoredRun, split: str) -> int | None:
    try:
        return run.forecasts(split).horizon
    except DataError:
        return None


def _series_count(run: StoredRun, split: str) -> int:
    """Of a panel whose forecasts are stored, how many series it has."""
    try:
        return len(run.forecasts(split).names)
    except DataError:  # there are none, or they are damaged, which is said elsewhere
        return 0
