"""What one run measured on one split, as its files have it."""

import math
from dataclasses import dataclass
from typing import Literal

from amlnn.errors import DataError
from amlnn.records import RunRecord
from amlnn.results.store import Predictions, StoredRun

__all__ = ['MSE', 'TOP1', 'Result', 'best_epoch_value', 'is_finite', 'stored_predictions']

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
    """A classifier's predictions, or None where they are missing or damaged."""
    try:
        return run.predictions(split)
    except DataError:
        return None


def best_epoch_value(record: RunRecord, metric: str | None) -> float | None:
    """A validation metric of the best epoch, or None."""
    if metric == record.monitor and is_finite(record.best_value):
        return record.best_value
    for epoch in record.epochs:
        if epoch.epoch == record.best_epoch and is_finite(epoch.metrics.get(metric)):
            return epoch.metrics[metric]
    return None


def is_finite(value: float | None) -> bool:
    """Whether it is a number that is known."""
    return value is not None and math.isfinite(value)
