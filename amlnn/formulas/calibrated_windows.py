"""Adaptive intervals of the windows of a part, of one or many series, block by block.

Series of a panel go side by side, each with errors of its own, as columns of one calibration do. So
many thousands of them take few steps, and memory is bounded by the size of a group.

Axes: N windows, B windows of a block, S series, P steps ahead, C columns, Q quantile levels, I
intervals.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from amlnn.formulas.adaptive_conformal import SIZE, AdaptiveConformal
from amlnn.formulas.conformal import INTERVAL_LEVELS, Conformal, fit_intervals
from amlnn.formulas.quantiles import central_places

__all__ = ['CENTRAL_LEVELS', 'SCORED_LEVELS', 'Bounded', 'ForecastWindows', 'Forecasted',
           'calibrated', 'static_margins']

CENTRAL_LEVELS = (0.2, 0.4, 0.6, 0.8)
"""Central intervals whose ends are the quantiles 0.1, 0.2, ... 0.9, less the median."""
SCORED_LEVELS = tuple(sorted({*CENTRAL_LEVELS, *INTERVAL_LEVELS}))

_WARM = 2 * SIZE  # newest windows of the part before, beside those that are not yet known
_SAMPLE = 1000  # windows that static margins are taken from, evenly spaced
_CELLS = 2 ** 17  # steps, columns and series of a group: their errors take 256 MB
_BLOCK = 2 ** 19  # numbers of a block
_MOST = 2 ** 25  # numbers of a part that take half a minute; of more, static margins are taken


class Forecasted(NamedTuple):
    """Some windows."""

    point: np.ndarray
    """[B, P, C]."""
    target: np.ndarray
    """[B, P, C], whatever number where it is missing."""
    observed: np.ndarray | None = None
    """[B, P, C] bool, None for all."""
    quantiles: np.ndarray | None = None
    """[B, P, C, Q]."""


@dataclass(frozen=True)
class ForecastWindows:
    """The windows of a part, those of each series in the order of time."""

    take: Callable[[np.ndarray], Forecasted]
    """What is forecast and came true, of windows [B] int64."""
    series: np.ndarray
    """[N] int, which series each window is of."""
    stride: int
    """Rows from one window of a series to the next."""
    levels: Sequence[float] | None = None
    """The Q levels."""

    @classmethod
    def of_arrays(cls, whole: Forecasted, series: np.ndarray | None, stride: int,
                  levels: Sequence[float] | None = None) -> 'ForecastWindows':
        """Of windows that are in memory; `series` is None for one."""
        def take(index: np.ndarray) -> Forecasted:
            point, target, observed, quantiles = whole
            return Forecasted(point[index], target[index],
                              None if observed is None else observed[index],
                              None if quantiles is None else quantiles[index])

        return cls(take, np.zeros(len(whole.point), np.int64) if series is None else series, stride,
                   levels)


class Bounded(NamedTuple):
    """Some windows with their intervals."""

    places: np.ndarray
    """[B] int64, which they are of the part's."""
    windows: Forecasted
    low: np.ndarray
    """[I, B, P, C], NaN where there is no interval."""
    high: np.ndarray
    """[I, B, P, C]."""


def static_margins(windows: ForecastWindows, levels: Sequence[float] = INTERVAL_LEVELS
                   ) -> list[Conformal]:
    """Margins of all windows together, as `fit_intervals` takes them; of many, evenly spaced ones.

    Args:
        windows: The calibration part.
        levels: From the lowest on.

    Returns:
        One for each level; NaN where it takes more windows.

    >>> target = np.arange(1.0, 10.0).reshape(9, 1, 1)
    >>> windows = ForecastWindows.of_arrays(Forecasted(np.zeros((9, 1, 1)), target), None, 1)
    >>> [each.margin.item() for each in static_margins(windows)]
    [8.0, nan]
    """
    count = min(len(windows.series), _SAMPLE)
    point, target, observed, quantiles = windows.take(
        np.arange(count) * len(windows.series) // max(count, 1))
    found = []
    for level in levels:
        fitted = fit_intervals(target, point, quantiles, windows.levels, observed, (level,))
        found += fitted or [Conformal(np.full(point.shape[1:], np.nan), level)]
    return [each._replace(ends=_ends(windows, each.level)) for each in found]


def calibrated(part: ForecastWindows, static: Sequence[Conformal],
               before: ForecastWindows | None = None, together_at: str = 'start'
               ) -> Iterator[Bounded]:
    """The intervals of all windows of a part, block by block, in no order.

    Every window's are made of what was known when it was forecast: of the windows of its series
    that lie before the part, and of earlier ones in it.

    Args:
        part: The windows.
        static: For each level, from the lowest on, the margins [P, C] of a series that has too few
            errors, or [S, P, C], those of each.
        before: Windows whose targets all lie before those of `part`.
        together_at: Where series of different lengths stand side by side, at the 'start' of the
            part or at its 'end'.

    >>> target = np.tile([1.0, -2.0, 4.0, 0.5], 30).reshape(120, 1, 1)
    >>> windows = ForecastWindows.of_arrays(Forecasted(np.zeros((120, 1, 1)), target), None, 1)
    >>> first, = calibrated(windows, static_margins(windows), before=windows)
    >>> first.high[:, 0].ravel().tolist()  # 4 held all before, so 80 % is asked for less
    [2.0, 4.0]
    """
    steps, columns = static[0].margin.shape[-2:]
    if len(part.series) * steps * columns > _MOST:
        yield from _with_static(part, static, steps * columns)
        return
    mine, names = _by_series(part)
    earlier = {} if before is None else dict(zip(*reversed(_by_series(before)), strict=True))
    ways = len({each.ends for each in static})
    together = max(1, _CELLS // (steps * columns * ways))
    for first in range(0, len(names), together):
        group = names[first:first + together]
        yield from _of_group(part, mine[first:first + together], static, before,
                             [earlier.get(name, np.empty(0, np.int64)) for name in group],
                             np.array(group), together_at)


def _of_group(part: ForecastWindows, mine: list[np.ndarray], static: Sequence[Conformal],
              before: ForecastWindows | None, earlier: list[np.ndarray], names: np.ndarray,
              together_at: str) -> Iterator[Bounded]:
    """The intervals of some series, side by side."""
    steps = static[0].margin.shape[-2]
    warm = []
    if before is not None:
        most = _WARM + (steps - 1) // before.stride + 1
        warm = [rows[-most:] for rows in earlier]
    first, longest = max(map(len, warm), default=0), max(map(len, mine))
    calibration = AdaptiveConformal(
        [each._replace(margin=_side_by_side(each.margin, names)) for each in static],
        part.stride if before is None else before.stride, min(SIZE, first + longest),
        until=longest - 1 if before is None and together_at == 'end' else first)
    cells = static[0].margin.shape[-1] * steps
    if before is not None:
        for table_BS in _tables(warm, 'end', cells):
            calibration.bounds(*_laid(before, table_BS)[0])
        calibration.flush(part.stride)
    for table_BS in _tables(mine, together_at, cells):
        given, windows = _laid(part, table_BS)
        there = table_BS.reshape(-1) >= 0
        low, high = (_apart(each, table_BS)[:, there] for each in calibration.bounds(*given))
        yield Bounded(table_BS.reshape(-1)[there], windows, low, high)


def _with_static(part: ForecastWindows, static: Sequence[Conformal], cells: int
                 ) -> Iterator[Bounded]:
    together = max(1, _BLOCK // cells)
    for first in range(0, len(part.series), together):
        index = np.arange(first, min(first + together, len(part.series)))
        windows = part.take(index)
        bounds = [each._replace(margin=each.margin if each.margin.ndim == 2
                                else each.margin[part.series[index]]).bounds(
                                    windows.point, windows.quantiles) for each in static]
        low, high = (np.stack(each) for each in zip(*bounds, strict=True))
        yield Bounded(index, windows, low, high)


def _by_series(windows: ForecastWindows) -> tuple[list[np.ndarray], list[int]]:
    """The places of each series' windows, and the series."""
    order = np.argsort(windows.series, kind='stable')
    names, firsts = np.unique(windows.series[order], return_index=True)
    return np.split(order, firsts[1:]), names.tolist()


def _tables(rows: list[np.ndarray], together_at: str, cells: int) -> Iterator[np.ndarray]:
    """[B, S] windows that stand side by side, -1 where a series has none."""
    longest = max(map(len, rows))
    table = np.full((longest, len(rows)), -1, dtype=np.int64)
    for place, each in enumerate(rows):
        first = longest - len(each) if together_at == 'end' else 0
        table[first:first + len(each), place] = each
    block = max(1, _BLOCK // (cells * len(rows)))
    for first in range(0, longest, block):
        yield table[first:first + block]


def _laid(windows: ForecastWindows, table_BS: np.ndarray) -> tuple[Forecasted, Forecasted]:
    """Windows [B, P, S * C], unobserved where there is none, and as they were taken."""
    there = table_BS.reshape(-1) >= 0
    taken = windows.take(table_BS.reshape(-1)[there])
    whole = bool(there.all())

    def laid(values: np.ndarray) -> np.ndarray:
        full = values
        if not whole:
            full = np.zeros((len(there), *values.shape[1:]), values.dtype)
            full[there] = values
        block, series = table_BS.shape
        steps, columns, *rest = values.shape[1:]
        apart = full.reshape(block, series, steps, columns, *rest)
        return apart.swapaxes(1, 2).reshape(block, steps, series * columns, *rest)

    observed = taken.observed
    if observed is None and not whole:
        observed = np.ones(taken.target.shape, dtype=bool)
    return Forecasted(laid(taken.point), laid(taken.target),
                      None if observed is None else laid(observed),
                      None if taken.quantiles is None else laid(taken.quantiles)), taken


def _apart(bounds: np.ndarray, table_BS: np.ndarray) -> np.ndarray:
    """[I, B * S, P, C] of [I, B, P, S * C]."""
    block, series = table_BS.shape
    levels, _, steps, columns = bounds.shape
    return bounds.reshape(levels, block, steps, series, columns // series).swapaxes(2, 3).reshape(
        levels, block * series, steps, columns // series)


def _side_by_side(margin: np.ndarray, names: np.ndarray) -> np.ndarray:
    """[P, S * C] of one margin [P, C] for all series, or of [S, P, C]."""
    own = margin[names] if margin.ndim == 3 else np.repeat(margin[None], len(names), axis=0)
    series, steps, columns = own.shape
    return own.swapaxes(0, 1).reshape(steps, series * columns)


def _ends(windows: ForecastWindows, level: float) -> tuple[int, int] | None:
    return central_places(windows.levels, level) if windows.levels else None
