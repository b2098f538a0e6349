"""The intervals around forecasts of a file's end; nothing here imports torch.

They come from the errors of the forecasts that the model would have made before, as far as the file
knows what followed; of a series with too few of them, from the errors on the validation part, which
the checkpoint holds.
"""

from collections.abc import Callable

import numpy as np

from amlnn.data.series.ends import LastWindows
from amlnn.data.series.past_ends import PastWindows, past_windows
from amlnn.engine.series.intervals import checkpoint_margins, interval_bounds
from amlnn.formulas.adaptive_conformal import SIZE
from amlnn.formulas.calibrated_windows import Forecasted, ForecastWindows, calibrated
from amlnn.formulas.conformal import LEAST_WINDOWS

__all__ = ['Bounds', 'Forecasts', 'end_intervals']

# S series, N windows, B windows of a block, P horizon, C target columns, Q quantile levels

Forecasts = tuple[np.ndarray, np.ndarray | None]
"""[S, P, C] points, and [S, P, C, Q] quantiles where there are any, in scaled units."""
Bounds = list[tuple[float, np.ndarray, np.ndarray]]
"""Level, lower and upper bounds [S, P, C]."""

_TOGETHER = 2 ** 14  # windows of all series: a network takes seconds for them
_BLOCK = 512  # windows that are forecast at once


def end_intervals(windows: LastWindows, info: dict, intervals: list[dict], ahead: Forecasts,
                  forecast: Callable[[LastWindows], Forecasts]) -> tuple[Bounds, list[str]]:
    """The intervals of the checkpoint's levels, and what they are made of, a sentence.

    Args:
        windows: Those at the ends.
        info: Metainfo of the checkpoint.
        intervals: Of the checkpoint.
        ahead: What is forecast from them.
        forecast: Makes the forecast of earlier ones.
    """
    codes = windows.codes if windows.series.ids else None
    if not intervals:
        return [], []
    past = None
    if info.get('trained_until'):
        past = past_windows(windows, info, SIZE, LEAST_WINDOWS, _TOGETHER)
    counts = np.zeros(len(windows.codes), np.int64) if past is None else \
        np.bincount(past.places, minlength=len(windows.codes)) - 1
    if past is None or not counts.any():
        return interval_bounds(intervals, *ahead, codes), [_note(counts, past is not None)]
    static = sorted(checkpoint_margins(intervals, codes), key=lambda each: each.level)
    low, high = (np.empty((len(static), *ahead[0].shape), ahead[0].dtype) for _ in range(2))
    for each in calibrated(_windows(past, ahead, forecast), static, together_at='end'):
        at_end = past.origins[each.places] == windows.series.bounds[past.places[each.places] + 1]
        places = past.places[each.places][at_end]
        low[:, places], high[:, places] = each.low[:, at_end], each.high[:, at_end]
    bounds = [(each.level, *of) for each, *of in zip(static, low, high, strict=True)]
    return bounds, [_note(counts, True)]


def _windows(past: PastWindows, ahead: Forecasts, forecast: Callable[[LastWindows], Forecasts]
             ) -> ForecastWindows:
    ends = past.last.series.bounds[past.places + 1]

    def take(index: np.ndarray) -> Forecasted:
        points, quantiles = [], []
        for first in range(0, len(index), _BLOCK):
            part = index[first:first + _BLOCK]
            point, spread = forecast(past.block(part))
            points.append(point)
            quantiles += [] if spread is None else [spread]
        found = [np.concatenate(points), np.concatenate(quantiles) if quantiles else None]
        at_end = past.origins[index] == ends[index]
        for own, known in zip(found, ahead, strict=True):
            if own is not None and known is not None:  # to the bit what is printed
                own[at_end] = known[past.places[index][at_end]]
        return Forecasted(found[0], *past.truth(index), found[1])

    return ForecastWindows(take, past.places, past.stride)


def _note(counts: np.ndarray, knows: bool) -> str:
    """What the intervals are made of.

    Args:
        counts: [S], the earlier forecasts of each series.
        knows: Whether the checkpoint says where its training ended.
    """
    static = 'the errors on the validation part'
    if not counts.any():
        why = f'the file has too few rows behind those that training had ({LEAST_WINDOWS} and ' \
              'the horizon)' if knows else 'the checkpoint does not say where its training ended'
        return f'intervals: from {static}; {why}'
    own = counts[counts > 0]
    text = f'intervals: from the errors of {own.min():,} earlier forecasts of this file'
    if own.min() < own.max():
        text = f'intervals: from the errors of {own.min():,} to {own.max():,} earlier forecasts ' \
               'of each series in this file'
    few = len(counts) - len(own)
    return f'{text}; of {few:,} series with too few rows, from {static}' if few else text
