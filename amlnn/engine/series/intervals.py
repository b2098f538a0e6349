"""The intervals that a checkpoint holds, around forecasts. Nothing here imports torch."""

import numpy as np

from amlnn.formulas.conformal import Conformal

__all__ = ['checkpoint_margins', 'interval_bounds']

# N windows, P future steps, C target columns, Q quantile levels


def interval_bounds(intervals: list[dict], point: np.ndarray, quantiles: np.ndarray | None,
                    codes: np.ndarray | None = None
                    ) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Level, lower and upper bounds [N, P, C] of each interval that a checkpoint holds.

    Args:
        intervals: `intervals` of the checkpoint.
        point: [N, P, C].
        quantiles: [N, P, C, Q], of a head that gives them.
        codes: [N] of a panel, the places of their series in the checkpoint's ids; one that it does
            not have has the margins of all.
    """
    fitted = checkpoint_margins(intervals, codes)
    return [(each.level, *each.bounds(point, quantiles)) for each in fitted]


def checkpoint_margins(intervals: list[dict], codes: np.ndarray | None = None) -> list[Conformal]:
    """The intervals that a checkpoint holds; see `interval_bounds`.

    Returns:
        With margins [P, C], or of `codes` [N, P, C] where the checkpoint has them by series.
    """
    def margin(each: dict) -> np.ndarray:
        pooled = np.asarray(each['margin'])
        if codes is None or 'by_series' not in each:
            return pooled
        own = np.asarray(each['by_series'])
        known = (codes >= 0) & (codes < len(own))
        return np.where(known[:, None, None], own[np.where(known, codes, 0)], pooled)

    return [Conformal(margin(each), each['level'], each['ends']) for each in intervals]
