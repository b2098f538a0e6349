"""The one table from the kind in a run's record to how the page shows it."""

from amlnn.report.classifiers import Classifiers
from amlnn.report.forecasters import Forecasters
from amlnn.report.presented import Presented

__all__ = ['KINDS', 'kind_of']

KINDS: dict[str, Presented] = {'classification': Classifiers(), 'forecasting': Forecasters()}
"""`RunRecord.kind` to its kind. A further one is a class in a file of its own and a row here."""


def kind_of(kind: str) -> Presented:
    """How the page shows a kind of run; `amlnn.results` has refused the unknown ones."""
    return KINDS[kind]
