"""What a comparison asks of a kind of run."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from amlnn.records import RunRecord, is_known
from amlnn.results.measured import Result, best_epoch_value
from amlnn.results.simple_methods import SimpleRow
from amlnn.results.store import StoredRun

if TYPE_CHECKING:
    from amlnn.results.summary import Row

__all__ = ['Comparable']


class Comparable(ABC):
    """A kind of run, as a comparison sees it. Kinds are found through `amlnn.results.kinds`."""

    metric: ClassVar[str]
    """What a table without a single result is of."""
    samples: ClassVar[str]
    """What is counted, in the plural."""
    first_is_baseline: ClassVar[bool]
    """Whether rows are compared with the first finished one where nobody chose a baseline."""
    votes: ClassVar[bool] = False
    """Whether stored predictions are probabilities of classes, which can be averaged."""

    @abstractmethod
    def metric_of(self, record: RunRecord) -> str:
        """The name of the metric by which a run is compared."""

    @abstractmethod
    def task(self, run: StoredRun) -> tuple[object, ...]:
        """What runs must share to stand in one table."""

    @abstractmethod
    def contradictions(self, run: StoredRun, split: str) -> list[str]:
        """Say where a run's predictions and its records disagree."""

    def from_predictions(self, run: StoredRun, split: str) -> Result | None:
        """The result that the stored predictions give, where they count before the records."""
        return None

    def result_of(self, run: StoredRun, split: str) -> Result | None:
        """Return a run's result: from its predictions, else from its records, else None.

        For 'val' without predictions it is the metric of the best epoch.
        """
        found = self.from_predictions(run, split)
        if found is not None:
            return found
        record, metric = run.record, self.metric_of(run.record)
        test = run.tests.get(split)
        if test is not None and is_known(test.metrics.get(metric)):
            return Result(metric, test.metrics[metric], test.samples, 'test record')
        if split == 'val':
            value = best_epoch_value(record, metric)
            if value is not None:
                return Result(metric, value, record.samples.get('val'), 'run record')
        return None

    def recorded_metric(self, run: StoredRun, metric: str, split: str) -> float | None:
        """Return any metric of a run's test record on a split."""
        test = run.tests.get(split)
        return test.metrics[metric] if test is not None and is_known(test.metrics.get(metric)) \
            else None

    def beside(self, rows: Sequence['Row'], split: str) -> tuple[list[SimpleRow], list[str], str]:
        """What stands beside the rows: those of simple methods, notes, and the data in words."""
        return [], [], ''
