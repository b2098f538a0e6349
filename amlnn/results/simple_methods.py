"""The rows of simple methods in a table of forecasts, and what a reader must know of them."""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from amlnn.command import as_called
from amlnn.records import OWN, TestRecord

if TYPE_CHECKING:
    from amlnn.results.summary import Row

__all__ = ['SimpleRow', 'simple_rows']


@dataclass(frozen=True)
class SimpleRow:
    """A row beside those of the configurations: a simple method, as a rule; nothing is trained."""

    name: str
    metrics: dict[str, float]
    samples: int
    sampled: bool = False
    """Whether it is of fewer windows than the configurations, and so compares with no other row."""


def simple_rows(rows: Sequence['Row'], split: str) -> tuple[list[SimpleRow], list[str]]:
    """What the test records say of simple methods; where two disagree, the row it belongs to.

    Some depend on the look-back, which may differ between the rows of a table. Those on a sample of
    the windows come last, after what each configuration reaches on the same sample.

    Args:
        rows: Of the configurations.
        split: 'val' or 'test'.

    Returns:
        The rows, and notes on them, one sentence each.

    >>> from amlnn.results.summary import summarise
    >>> rows = summarise([tiny_forecaster()]).rows
    >>> simple_rows(rows, 'test')[0]
    [SimpleRow(name='ridge', metrics={'forecast/mse': 0.25}, samples=4, sampled=False)]
    """
    shown = _without_copies((SimpleRow, row, name, values) for row, test in _tests(rows, split)
                            for name, values in test.baselines.items())
    methods = _without_copies((_sampled_row, row, name, values)
                              for row, test in _tests(rows, split)
                              for name, values in test.sampled_baselines.items() if name != OWN)
    notes = []
    for count in dict.fromkeys(row.samples for row in methods):
        own = [found for row in rows if (found := _own_row(row, split, count)) is not None]
        shown += own + [row for row in methods if row.samples == count]
        notes.append(_note(count, rows, own, split))
    return shown, notes


def _tests(rows: Sequence['Row'], split: str) -> Iterator[tuple['Row', TestRecord]]:
    for row in rows:
        for run in row.group.runs:
            if split in run.tests:
                yield row, run.tests[split]


_Given = tuple[Callable[[str, dict[str, float], int], SimpleRow], 'Row', str, dict[str, float]]


def _without_copies(given: Iterable[_Given]) -> list[SimpleRow]:
    """One row of what several records agree on, given as (how to make it, owner, name, values)."""
    found: dict[str, list[tuple[SimpleRow, str]]] = {}
    for make, owner, name, values in given:
        simple = make(name, _metrics(values), int(values['windows']))
        known = found.setdefault(simple.name, [])
        if not any(_alike(simple, other) for other, _ in known):
            known.append((simple, owner.name))
    return [simple if len(known) == 1 else replace(simple, name=f'{name} (windows of {owner})')
            for name, known in found.items() for simple, owner in known]


def _own_row(row: 'Row', split: str, count: int) -> SimpleRow | None:
    """What a configuration reaches on a sample of so many windows: the mean over its seeds."""
    found = [_metrics(values) for _, test in _tests([row], split)
             if (values := test.sampled_baselines.get(OWN)) and values['windows'] == count]
    if not found:
        return None
    names = set.intersection(*map(set, found))
    return _sampled_row(row.name, {name: statistics.fmean(each[name] for each in found)
                                   for name in found[0] if name in names}, count)


def _sampled_row(name: str, metrics: dict[str, float], count: int) -> SimpleRow:
    return SimpleRow(f'{name} ({count:,} windows)', metrics, count, sampled=True)


def _note(count: int, rows: Sequence['Row'], own: Sequence[SimpleRow], split: str) -> str:
    sizes = {test.samples for _, test in _tests(rows, split)}
    of = f' of {sizes.pop():,}' if len(sizes) == 1 else ''
    known = {row.name for row in own}
    without = [row.name for row in rows if f'{row.name} ({count:,} windows)' not in known]
    missing = '' if not without else (
        f' Not known on these windows: {", ".join(without)}; {as_called("tools/test.py")} '
        'with the same --baselines and --baseline-windows says it.')
    return (f'Rows with "({count:,} windows)" are of {count:,}{of} windows, evenly spaced, and '
            f'compare with one another only.{missing}')


def _metrics(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if key != 'windows' and value is not None}


def _alike(one: SimpleRow, other: SimpleRow) -> bool:
    return one.samples == other.samples and all(
        math.isclose(one.metrics[key], other.metrics[key], rel_tol=1e-5)
        for key in one.metrics.keys() & other.metrics.keys())
