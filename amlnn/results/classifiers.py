"""Classifiers in a comparison: top-1 accuracy, from the stored predictions where there are any."""

import numpy as np

from amlnn.errors import DataError
from amlnn.records import RunRecord, is_known
from amlnn.results.comparable import Comparable
from amlnn.results.measured import TOP1, Result, best_epoch_value, stored_predictions
from amlnn.results.store import Predictions, StoredRun

__all__ = ['Classifiers']


class Classifiers(Comparable):
    """All stand in one table."""

    metric = TOP1
    samples = 'images'
    first_is_baseline = True
    votes = True

    def metric_of(self, record: RunRecord) -> str:
        """Top-1 accuracy, whatever was monitored."""
        return TOP1

    def task(self, run: StoredRun) -> tuple[object, ...]:
        """The kind alone."""
        return (run.record.kind,)

    def from_predictions(self, run: StoredRun, split: str) -> Result | None:
        """The share of the images that is right."""
        predictions = stored_predictions(run, split)
        if predictions is None:
            return None
        return Result(TOP1, 100 * float(predictions.correct.mean()), len(predictions.ids),
                      'predictions')

    def recorded_metric(self, run: StoredRun, metric: str, split: str) -> float | None:
        """Of the test record; on 'val' without one, of the best epoch."""
        value = super().recorded_metric(run, metric, split)
        if value is None and split == 'val':
            return best_epoch_value(run.record, metric)
        return value

    def contradictions(self, run: StoredRun, split: str) -> list[str]:
        """Say where predictions and records disagree by an image or more."""
        try:
            predictions = run.predictions(split)
        except DataError as error:
            return [f'{run.name}: {error.message}.'] if run.has_predictions(split) else []
        measured = 100 * float(predictions.correct.mean())
        test = run.tests.get(split)
        if test is not None:
            recorded, where = test.metrics.get(TOP1), f'test_{split}.json'
        elif split == 'val':
            recorded, where = best_epoch_value(run.record, TOP1), 'run.json'
        else:
            return []
        if not is_known(recorded) or abs(recorded - measured) < 99.99 / len(predictions.ids):
            return []
        note = (f'{run.name}: predictions_{split}.npz gives {measured:.2f} %, {where} '
                f'{recorded:.2f} %; the table shows the former.')
        ties = _tied_with_label(predictions)
        if abs(recorded - measured) < 100 * (ties + 0.5) / len(predictions.ids):
            # Low precision makes equal scores, and two programs may each take another of the
            # equals.
            note += (f' For {ties} image{"s" * (ties != 1)} another class is as probable as the '
                     'right one, which explains it.')
        return [note]


def _tied_with_label(predictions: Predictions) -> int:
    """The number of images whose label shares the largest probability with another class."""
    top = predictions.probs == predictions.probs.max(axis=1, keepdims=True)
    mine = top[np.arange(len(top)), predictions.labels]
    return int((mine & (top.sum(axis=1) > 1)).sum())
