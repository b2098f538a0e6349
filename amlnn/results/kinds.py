"""The one table from the kind in a run's record to what a comparison asks of it."""

from amlnn.errors import DataError
from amlnn.records import RunRecord
from amlnn.results.classifiers import Classifiers
from amlnn.results.comparable import Comparable
from amlnn.results.forecasters import Forecasters
from amlnn.results.measured import Result
from amlnn.results.store import StoredRun

__all__ = ['KINDS', 'kind_of', 'result_of']

KINDS: dict[str, Comparable] = {'classification': Classifiers(), 'forecasting': Forecasters()}
"""`RunRecord.kind` to its kind. A further one is a class in a file of its own and a row here."""


def kind_of(record: RunRecord) -> Comparable:
    """What a comparison asks of the record's kind.

    Raises:
        DataError: no such kind is known here.

    >>> kind_of(tiny_run().record).metric, kind_of(tiny_forecaster().record).metric
    ('accuracy/top1', 'forecast/mse')
    """
    try:
        return KINDS[record.kind]
    except KeyError:
        raise DataError(f'{record.config_name} is a run of the unknown kind `{record.kind}`',
                        hint=f'known are {", ".join(KINDS)}; read it with the version of amlnn '
                             'that wrote it') from None


def result_of(run: StoredRun, split: str) -> Result | None:
    """Return the run's result on a split; see `Comparable.result_of`.

    >>> result_of(tiny_run(), 'val')
    Result(metric='accuracy/top1', value=75.0, samples=4, source='predictions')
    """
    return kind_of(run.record).result_of(run, split)
