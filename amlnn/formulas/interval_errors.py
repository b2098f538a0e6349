"""How intervals held: coverage, width, interval score and CRPS, summed up block by block.

Axes: S series, B windows of a block, P steps ahead, C columns, I intervals.
"""

from collections.abc import Sequence

import numpy as np

from amlnn.formulas.calibrated_windows import CENTRAL_LEVELS, Bounded
from amlnn.formulas.quantiles import central_levels, inside, quantile_scores, winkler_scores

__all__ = ['IntervalSums']


class IntervalSums:
    """Sums over windows; what has no truth or no interval does not count.

    Args:
        levels: The I levels of the intervals, from the lowest on.
        shown: Those that are named one by one; the others serve the CRPS.

    >>> from amlnn.formulas.calibrated_windows import Forecasted
    >>> target, sums = np.array([1.0, 4.0]).reshape(2, 1, 1), IntervalSums([0.8], [0.8])
    >>> windows = Forecasted(np.zeros((2, 1, 1)), target)
    >>> sums.add(Bounded(np.arange(2), windows, target[None] * 0 - 2, target[None] * 0 + 2))
    >>> {name: round(value, 9) for name, value in sums.row().items()}
    {'interval/coverage_80': 0.5, 'interval/width_80': 4.0, 'interval/winkler_80': 14.0}
    """

    def __init__(self, levels: Sequence[float], shown: Sequence[float]):
        self._levels, self._shown = list(levels), list(shown)
        self._sums = np.zeros((4, len(self._levels)))  # inside, width, score, values
        self._crps = np.zeros(2)
        there = all(level in self._levels for level in CENTRAL_LEVELS)
        self._central = [self._levels.index(level) for level in CENTRAL_LEVELS] if there else []

    def add(self, bounded: Bounded) -> None:
        """Add windows."""
        point, target, observed, _ = bounded.windows
        low_IBPC, high_IBPC = (each.astype(np.float64) for each in (bounded.low, bounded.high))
        known_IBPC = ~np.isnan(low_IBPC)
        if observed is not None:
            known_IBPC &= observed
        for place, level in enumerate(self._levels):
            low, high, known = (each[place] for each in (low_IBPC, high_IBPC, known_IBPC))
            values = (inside(target, low, high), high - low,
                      winkler_scores(target, low, high, level), known)
            self._sums[:, place] += [np.where(known, each, 0).sum() for each in values]
        if self._central:
            known = known_IBPC[self._central].all(axis=0)
            quantiles = [*low_IBPC[self._central], point, *high_IBPC[self._central]]
            ends = [central_levels(level) for level in CENTRAL_LEVELS]
            levels = np.array([*(low for low, _ in ends), 0.5, *(high for _, high in ends)])
            scores = quantile_scores(target[known][:, None] - np.stack(
                [each[known] for each in quantiles], axis=-1), levels)
            self._crps += scores.sum(), scores.size

    def row(self) -> dict[str, float]:
        """In scaled units.

        Returns:
            For each level that is shown and of which there is any interval, 'interval/coverage_80',
            'interval/width_80' and 'interval/winkler_80'; and 'interval/crps'.
        """
        found = {}
        for level in self._shown:
            *sums, count = self._sums[:, self._levels.index(level)].tolist()
            if count:
                for name, each in zip(('coverage', 'width', 'winkler'), sums, strict=True):
                    found[f'interval/{name}_{100 * level:g}'] = each / count
        if self._crps[1]:
            found['interval/crps'] = float(self._crps[0] / self._crps[1])
        return found
