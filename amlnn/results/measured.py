"""What one run measured on one split, as its files have it."""

from dataclasses import dataclass
from typing import Literal

from amlnn.errors import DataError
from amlnn.records import RunRecord, is_known
from amlnn.results.store import Predictions, StoredRun

__all__ = ['MSE', 'TOP1', 'Result', 'best_epoch_value', 'stored_predictions']

TOP1 = 'accuracy/top1'
MSE = 'forecast/mse'


@dataclass(frozen=True)
class Result:
    """What one run measured on one split; accuracies in percent."""

    metric: str
    value: float
    samples: int | None
    source: Literal['predictions', 'test record', 'run record']


def stored_predictions(run: StoredRun, split: str) -> Predictions | None:
    """A classifier's predictions, or None where they are missing or damaged.

    >>> run = tiny_run()
    >>> stored_predictions(run, 'val').predicted.tolist(), stored_predictions(run, 'test')
    ([0, 1, 1, 1], None)
    """
    try:
        return run.predictions(split)
    except DataError:
        return None


def best_epoch_value(record: RunRecord, metric: str | None) -> float | None:
    """A validation metric of the best epoch, or None.

    >>> record = tiny_run().record
    >>> best_epoch_value(record, 'accuracy/top1'), best_epoch_value(record, 'accuracy/top5')
    (75.0, None)
    """
    if metric == record.monitor and is_known(record.best_value):
        return record.best_value
    if metric is None:
        return None
    for epoch in record.epochs:
        if epoch.epoch == record.best_epoch and is_known(epoch.metrics.get(metric)):
            return epoch.metrics[metric]
    return None
