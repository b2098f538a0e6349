"""What share of the values intervals held, by step ahead and by series, on the page."""

from collections.abc import Sequence

import numpy as np

from amlnn.report.blocks import Table
from amlnn.report.canvas import shorten
from amlnn.report.columns import UNKNOWN, share_text
from amlnn.results.forecasting import Interval, held_by_series, held_by_step
from amlnn.results.forecasts import Forecasts

__all__ = ['held_table']

_LETTERS = 24  # of a series' name


def held_table(forecasts: Forecasts, intervals: Sequence[Interval]) -> Table:
    """A row for each interval: what it held of the first, middle and last steps ahead, and of a
    panel of the series of which it held least and most.

    Args:
        forecasts: Of one run on one split.
        intervals: Of the same forecasts, one at least.
    """
    thirds = [part for part in np.array_split(np.arange(forecasts.horizon), 3) if len(part)]
    head = ['interval', *(_steps(part) for part in thirds)]
    if forecasts.names:
        head += ['least, of series', 'most, of series']
    rows = []
    for each in intervals:
        by_step = held_by_step(forecasts, each)
        rows.append([f'{100 * each.level:g} % held',
                     *(_share(by_step[part]) for part in thirds),
                     *(_ends(forecasts, each) if forecasts.names else [])])
    return Table(head, rows)


def _steps(part: np.ndarray) -> str:
    first, last = int(part[0]) + 1, int(part[-1]) + 1
    return f'step {first}' if first == last else f'steps {first} to {last}'


def _share(shares: np.ndarray) -> str:
    known = shares[~np.isnan(shares)]
    return share_text(float(known.mean())) if len(known) else UNKNOWN


def _ends(forecasts: Forecasts, interval: Interval) -> list[str]:
    shares = held_by_series(forecasts, interval)
    known = np.flatnonzero(~np.isnan(shares))
    if not len(known):
        return [UNKNOWN, UNKNOWN]
    ends = known[shares[known].argmin()], known[shares[known].argmax()]
    return [f'{share_text(float(shares[place]))}, {shorten(forecasts.names[place], _LETTERS)}'
            for place in ends]
