"""Intervals that follow a series: conformal prediction on the newest errors, corrected as it goes.

A forecast is made at a row, its origin. Step p of an earlier window, p from 1, is known there if
its row lies before the origin. Of every step and column the newest errors that are known give the
interval, as those of a validation part do in `amlnn.formulas.conformal`; and the level that is
asked of them is moved by what the intervals of the past held: adaptive conformal inference, whose
share of misses comes close to what was asked for however a series drifts.

Axes: B windows of a block, P steps ahead, D columns, Q quantile levels, I intervals.
"""

from collections.abc import Sequence

import numpy as np

from amlnn.formulas.conformal import LEAST_WINDOWS, Conformal

__all__ = ['RATE', 'SIZE', 'AdaptiveConformal']

SIZE = 300
"""Errors of a step and column that count, the newest ones."""
RATE = 0.02
"""By how much of a miss the level moves, divided by the windows that it takes to be known.

Size and rate were chosen with ridge and the same-hour mean, 24, 96 and 336 rows ahead, on training
and validation rows of ETTh1, hourly electricity and bike sharing: fitted on the first half of them,
judged on the last quarter at most. Of 150 to 1,000 errors and rates of 0 to 0.05, these are among
those with the least interval scores of 80 and 95 % whose coverage is off by a point or so.
"""
_EVERY = 15  # windows after which errors are ordered anew: a twentieth of them is new then
_UNKNOWN = 2  # neither inside nor outside


class AdaptiveConformal:
    """Bounds of windows in the order of time, each from what was known when it was forecast.

    Memory is bounded, whatever the number of windows. A level never asks for an interval that lies
    within that of a lower one. Where more is asked for than the errors can say, it is the largest
    error.

    Args:
        fallback: For each level, from the lowest on: how it is made (`ends`), and the margins
            [P, D] of a step and column that has fewer than LEAST_WINDOWS errors; NaN where there
            are none, and so no interval.
        stride: Rows from one window to the next.
        size: Errors that count.
        rate: See RATE; 0 leaves levels as they are.
        until: Windows after which the next part begins, or the last window comes: errors are
            ordered anew there, and every 15 windows before, so that a series has the same intervals
            whatever stands before it.

    Source: I. Gibbs and E. Candes, Adaptive conformal inference under distribution shift, NeurIPS
    2021, arXiv:2106.00170, equation 2; a step's feedback comes as late as its truth.

    >>> calibration = AdaptiveConformal([Conformal(np.array([[3.0]]), 0.8)])
    >>> truth = np.tile([1.0, -2.0, 4.0, 0.5], 15).reshape(60, 1, 1)
    >>> low, high = calibration.bounds(np.zeros((60, 1, 1)), truth)
    >>> high[0, 0].item(), high[0, -1].item()  # the margin at first, then from its own errors
    (3.0, 4.0)
    """

    def __init__(self, fallback: Sequence[Conformal], stride: int = 1, size: int = SIZE,
                 rate: float = RATE, until: int = 0):
        self._fallback, self._size = list(fallback), size
        self._margin_IPD = np.stack([each.margin for each in self._fallback])
        _, steps, columns = self._margin_IPD.shape
        self._rate, self._steps = rate, np.arange(steps)
        # Those levels share their errors that are made alike.
        ways = [None if each.ends is None else tuple(each.ends) for each in self._fallback]
        self._ways = list(dict.fromkeys(ways))
        self._way_I = np.array([self._ways.index(way) for way in ways])
        shape = (len(self._ways), columns)
        # What is missing is larger than anything, and counted out.
        self._ring = np.full((steps, size, *shape), np.inf, np.float32)
        self._written_P = np.zeros(steps, dtype=np.int64)
        self._missed = 1 - np.array([each.level for each in self._fallback])[:, None, None]
        self._alpha_IPD = np.broadcast_to(self._missed, self._margin_IPD.shape).copy()
        self._begin(stride)
        self._since = -until % _EVERY

    def bounds(self, point: np.ndarray, target: np.ndarray, observed: np.ndarray | None = None,
               quantiles: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the next windows; their truth counts for later ones, once it is known.

        Args:
            point: [B, P, D].
            target: [B, P, D], whatever number where it is missing or not yet known.
            observed: [B, P, D] bool, False there; None for all.
            quantiles: [B, P, D, Q], where `ends` name some of them.

        Returns:
            Lower and upper bounds [I, B, P, D], NaN where there is neither an error nor a margin.
        """
        shape = (len(self._fallback), *point.shape)
        low_IBPD, high_IBPD = (np.empty(shape, point.dtype) for _ in range(2))
        bases = [(point, point) if way is None or quantiles is None else
                 (quantiles[..., way[0]], quantiles[..., way[1]]) for way in self._ways]
        scores = np.stack([np.maximum(low - target, target - high) for low, high in bases], axis=2)
        if observed is not None:
            scores = np.where(observed[:, :, None], scores, np.inf)
        for window in range(len(point)):
            self._deliver()
            if self._since >= _EVERY:
                self._sort()
            margin_IPD, own_PD = self._margins()
            for place, way in enumerate(self._way_I):
                low, high = (each[window] for each in bases[way])
                middle = (low + high) / 2  # where a negative margin would make bounds cross
                low_IBPD[place, window] = np.minimum(low - margin_IPD[place], middle)
                high_IBPD[place, window] = np.maximum(high + margin_IPD[place], middle)
            np.minimum.accumulate(low_IBPD[:, window], out=low_IBPD[:, window])
            np.maximum.accumulate(high_IBPD[:, window], out=high_IBPD[:, window])
            outside = (target[window] < low_IBPD[:, window]) | (target[window]
                                                               > high_IBPD[:, window])
            known = own_PD if observed is None else own_PD & observed[window]
            slot = self._windows % self._slots
            self._waiting[:, slot] = scores[window]
            self._outside[:, slot] = np.where(known, outside, _UNKNOWN).swapaxes(0, 1)
            self._windows += 1
            self._since += 1
        return low_IBPD, high_IBPD

    def flush(self, stride: int) -> None:
        """Take all truth as known: the next window begins behind the last target.

        Args:
            stride: Rows from one window to the next, from there on.
        """
        end = self._windows
        for _ in range(self._slots):
            self._deliver(end)
            self._windows += 1
        self._begin(stride)

    def _begin(self, stride: int) -> None:
        steps, _, ways, columns = self._ring.shape
        self._delay_P = self._steps // stride + 1
        self._rate_P = self._rate / self._delay_P
        self._slots, self._windows = int(self._delay_P[-1]), 0
        self._waiting = np.full((steps, self._slots, ways, columns), np.inf, np.float32)
        self._outside = np.full((steps, self._slots, len(self._way_I), columns), _UNKNOWN, np.int8)
        self._sort()

    def _deliver(self, end: int | None = None) -> None:
        """Let what is known now count: of each step, of the one window that it was waited for."""
        window_P = self._windows - self._delay_P
        steps = self._steps[(window_P >= 0) & (window_P < (self._windows if end is None else end))]
        if not len(steps):
            return
        slots = window_P[steps] % self._slots
        self._ring[steps, self._written_P[steps] % self._size] = self._waiting[steps, slots]
        self._written_P[steps] += 1
        outside_PID = self._outside[steps, slots]
        moved_PID = np.where(outside_PID == _UNKNOWN, 0, self._missed[None, :, 0] - outside_PID)
        moved_PID = self._rate_P[steps, None, None] * moved_PID
        self._alpha_IPD[:, steps] += moved_PID.swapaxes(0, 1)
        np.clip(self._alpha_IPD, 0, 1, out=self._alpha_IPD)

    def _sort(self) -> None:
        """Order the errors anew. In between they stay as they were, which saves most of the time.
        """
        filled = min(int(self._written_P.max()), self._size)
        kept_WPDM = np.array(self._ring[:, :filled].transpose(2, 0, 3, 1), order='C')
        kept_WPDM.sort(axis=-1)
        self._sorted_WPDM, self._since = kept_WPDM, 0
        self._count_PD = np.isfinite(kept_WPDM[0]).sum(axis=-1)

    def _margins(self) -> tuple[np.ndarray, np.ndarray]:
        """[I, P, D], and [P, D] bool: whether they come from errors enough."""
        own_PD = self._count_PD >= LEAST_WINDOWS
        if not own_PD.any():
            return self._margin_IPD, own_PD
        count_PD = np.maximum(self._count_PD, 1)
        # Rounded first, as in `conformal_rank`.
        rank_IPD = np.ceil(np.round((count_PD + 1) * (1 - self._alpha_IPD), 9)).astype(np.int64)
        rank_IPD = np.clip(rank_IPD, 1, count_PD)
        length = self._sorted_WPDM.shape[-1]
        cell_PD = np.arange(count_PD.size).reshape(count_PD.shape)
        first = (self._way_I[:, None, None] * count_PD.size + cell_PD) * length
        found = self._sorted_WPDM.reshape(-1)[first + rank_IPD - 1]
        return np.where(own_PD, found, self._margin_IPD), own_PD
