"""Means over the seeds of one configuration."""

import statistics
from collections.abc import Sequence

__all__ = ['mean_and_deviation']


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean, and standard deviation of the sample, which one value alone does not have.

    >>> mean_and_deviation([1.0, 3.0]), mean_and_deviation([2.0])
    ((2.0, 1.4142135623730951), (2.0, None))
    """
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None
