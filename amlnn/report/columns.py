"""Columns of a comparison table, and what a cell of one says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amlnn.formulas.digits import shown
from amlnn.report.figures import metric_label

if TYPE_CHECKING:
    from amlnn.results.simple_methods import SimpleRow
    from amlnn.results.summary import Difference, Row, Summary

__all__ = ['UNKNOWN', 'Column', 'best_epoch_text', 'count', 'difference_text', 'epochs_text',
           'error_text', 'frozen_text', 'interval_text', 'minus_interval_text', 'minus_text',
           'number_text', 'recorded_text', 'seconds_text', 'share_text', 'value_text']

UNKNOWN = '–'  # noqa: RUF001  an en dash, as tables use it for "none"


@dataclass(frozen=True)
class Column:
    """One column: its heading, what a row shows in it, and how much it matters."""

    title: str
    cell: Callable[['Row | SimpleRow'], str]
    right: bool = True
    """Right-aligned, as numbers are."""
    rank: int = 0
    """On a narrow terminal the highest go first; 0 stays."""


def count(value: int | None) -> str:
    """A whole number with thousands separators.

    >>> count(23974600), count(None)
    ('23,974,600', '–')
    """  # noqa: RUF002
    return UNKNOWN if value is None else f'{value:,}'


def seconds_text(value: float | None) -> str:
    """Seconds as a table shows them: three digits at least.

    >>> seconds_text(4.25), seconds_text(31.46), seconds_text(12345.6)
    ('4.25', '31.5', '12,346')
    """
    if value is None:
        return UNKNOWN
    return f'{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}'


def frozen_text(value: int | str | None) -> str:
    """What is frozen, in words."""
    if value is None:
        return UNKNOWN
    return {-1: 'nothing', 0: 'stem', 'all': 'all'}.get(value, f'stem + {value}')


def number_text(value: float, metric: str) -> str:
    """A value of the metric: two decimals of a percentage, else four digits."""
    return f'{value:.2f}' if metric_label(metric).endswith('(%)') else shown(value)


def value_text(row: 'Row', metric: str) -> str:
    """The row's result, with its spread over seeds where there are several."""
    if row.value is None:
        return UNKNOWN
    spread = f' ± {number_text(row.sd, metric)}' if row.sd is not None else ''
    return number_text(row.value, metric) + spread


def interval_text(row: 'Row') -> str:
    """The 95 % interval of the row's result."""
    return UNKNOWN if row.low is None else f'{row.low:.2f} to {row.high:.2f}'


def minus_text(row: 'Row', summary: 'Summary') -> str:
    """The row's result less the baseline's."""
    if row is summary.baseline:
        return 'baseline'
    return UNKNOWN if row.difference is None else _signed(row.difference.value, summary.metric)


def minus_interval_text(row: 'Row') -> str:
    """The 95 % interval of that difference; a dagger where it is not paired."""
    difference = row.difference
    if difference is None or difference.low is None:
        return UNKNOWN
    mark = '†' if difference.method == 'unpaired' else ''
    return f'{difference.low:+.2f} to {difference.high:+.2f}{mark}'


def _signed(value: float, metric: str) -> str:
    return f'{value:+.2f}' if metric_label(metric).endswith('(%)') else f'{value:+.4g}'


def difference_text(difference: 'Difference', metric: str) -> str:
    """A difference with its sign and interval: '+0.53 (-0.31 to +1.37)'."""
    value = _signed(difference.value, metric)
    if difference.low is None:
        return value
    return f'{value} ({difference.low:+.2f} to {difference.high:+.2f})'


def epochs_text(row: 'Row') -> str:
    """Epochs that were trained, and how many were planned where that differs."""
    done = sorted({len(record.epochs) for record in row.records})
    planned = {record.max_epochs for record in row.records}
    text = f'{done[0]}' if len(done) == 1 else f'{done[0]}-{done[-1]}'
    if len(planned) == 1 and None not in planned and done != [planned.copy().pop()]:
        text += f' of {planned.pop()}'
    return text


def best_epoch_text(row: 'Row') -> str:
    """The best epoch of each seed."""
    best = sorted({record.best_epoch for record in row.records if record.best_epoch is not None})
    return ', '.join(map(str, best)) or UNKNOWN


def recorded_text(row: 'Row', metric: str, split: str) -> str:
    """Any recorded metric, with its spread over seeds where there are several."""
    value = row.over_seeds(metric, split)
    if value is None:
        return UNKNOWN
    spread = f' ± {number_text(value[1], metric)}' if value[1] is not None else ''
    return number_text(value[0], metric) + spread


def error_text(value: float | None) -> str:
    """An error as a table shows it: four digits.

    >>> error_text(0.37), error_text(12.3456), error_text(123456.7), error_text(0.0000123)
    ('0.3700', '12.35', '123,457', '1.23e-05')
    """
    if value is None:
        return UNKNOWN
    if value >= 1000:
        return f'{value:,.0f}'
    if 0 < value < 1e-3:
        return f'{value:.3g}'
    return f'{value:.{4 if value < 1 else 3 if value < 10 else 2 if value < 100 else 1}f}'


def share_text(value: float | None) -> str:
    """A share as a table shows it: in percent.

    >>> share_text(0.8042)
    '80.4 %'
    """
    return UNKNOWN if value is None else f'{100 * value:.1f} %'
