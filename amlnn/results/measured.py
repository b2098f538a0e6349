"""What one run measured on one split, and where its files disagree about it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from amlnn.errors import DataError
from amlnn.records import RunRecord, is_known
from amlnn.results.store import Predictions, StoredRun

__all__ = ['MSE', 'TOP1', 'Result', 'contradictions', 'recorded_metric', 'result_of',
           'stored_predictions']

TOP1 = 'accuracy/top1'
MSE = 'forecast/mse'


@dataclass(frozen=True)
class Result:
    """What one run measured on one split; accuracies in percent."""

    metric: str
    value: float
    samples: int | None
    source: Literal['predictions', 'test record', 'run record']


def result_of(run: StoredRun, split: str) -> Result | None:
    """Return the run's result on a split: from its predictions, else from its records, else None.

    For 'val' without predictions it is the metric of the best epoch.
    """
    record = run.record
    metric = TOP1 if record.kind == 'classification' else \
        MSE if record.monitor is None or record.monitor == 'val_loss' else record.monitor
    if record.kind == 'classification':
        predictions = stored_predictions(run, split)
        if predictions is not None:
            return Result(TOP1, 100 * float(predictions.correct.mean()), len(predictions.ids),
                          'predictions')
    test = run.tests.get(split)
    if test is not None and is_known(test.metrics.get(metric)):
        return Result(metric, test.metrics[metric], test.samples, 'test record')
    if split == 'val':
        value = _best_epoch_value(record, metric)
        if value is not None:
            return Result(metric, value, record.samples.get('val'), 'run record')
    return None


def contradictions(run: StoredRun, split: str) -> list[str]:
    """Say where a run's predictions and its records disagree by an image or more."""
    if run.record.kind != 'classification':
        return _unlike_forecasts(run, split)
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
    if not is_known(recorded) or abs(recorded - measured) < 99.99 / len(predictions.ids):
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
    if not is_known(recorded) or math.isclose(recorded, measured, rel_tol=1e-3):
        return []
    return [f'{run.name}: predictions_{split}.npz gives an MSE of {measured:.4g}, '
            f'test_{split}.json {recorded:.4g}; the table shows the latter.']


def _tied_with_label(predictions: Predictions) -> int:
    """The number of images whose label shares the largest probability with another class."""
    top = predictions.probs == predictions.probs.max(axis=1, keepdims=True)
    mine = top[np.arange(len(top)), predictions.labels]
    return int((mine & (top.sum(axis=1) > 1)).sum())


def stored_predictions(run: StoredRun, split: str) -> Predictions | None:
    try:
        return run.predictions(split)
    except DataError:
        return None


def recorded_metric(run: StoredRun, metric: str, split: str) -> float | None:
    """Return a metric of the test record; on 'val' without one, of a classifier's best epoch."""
    test = run.tests.get(split)
    if test is not None and is_known(test.metrics.get(metric)):
        return test.metrics[metric]
    if split == 'val' and run.record.kind == 'classification':
        return _best_epoch_value(run.record, metric)
    return None


def _best_epoch_value(record: RunRecord, metric: str | None) -> float | None:
    if metric == record.monitor and is_known(record.best_value):
        return record.best_value
    for epoch in record.epochs:
        if epoch.epoch == record.best_epoch and is_known(epoch.metrics.get(metric)):
            return epoch.metrics[metric]
    return None
