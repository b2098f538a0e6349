"""The loss while the learning rate rises step by step, and which rate it speaks for.

The range test of L. N. Smith, Cyclical learning rates for training neural networks, WACV 2017
(https://arxiv.org/abs/1506.01186), with an exponential ramp and a smoothed loss, as they have
become usual since: S. Gugger, How do you find a good learning rate, 2018.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ['DIVERGED', 'RateRange', 'RunningMean', 'rising_rates']

# S steps

DIVERGED = 4.0
"""Times the least smoothed loss, from which on a training has diverged."""

_SPAN = 25  # of the ramp, how much smaller the stretch is over which losses are smoothed
_LEAST_STEPS = 3  # from which on a curve has a slope


def rising_rates(least: float, most: float, steps: int) -> np.ndarray:
    """Rates that rise by the same factor from step to step, [S].

    Args:
        least: The first one, above 0.
        most: The last one.
        steps: How many.

    >>> rising_rates(0.001, 0.1, 3).round(6).tolist()
    [0.001, 0.01, 0.1]
    """
    rates: np.ndarray = np.exp(np.linspace(math.log(least), math.log(most), steps))
    return rates


class RunningMean:
    """An exponential moving mean without the bias of its beginning (Adam's correction).

    Args:
        steps: Of the whole ramp: a 25th of it is how far the mean looks back, so that a ramp of
            more steps gives the same curve with less noise.

    >>> mean = RunningMean(steps=100)
    >>> mean.add(2.0), round(mean.add(2.0), 9)
    (2.0, 2.0)
    """

    def __init__(self, steps: int):
        back = steps / _SPAN
        self.weight = back / (1 + back)
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> float:
        """The mean with one more value."""
        self._count += 1
        self._sum = self.weight * self._sum + (1 - self.weight) * value
        return self._sum / (1 - self.weight ** self._count)


@dataclass(frozen=True)
class RateRange:
    """A range test: the rate of every step that was taken, and its loss before the step.

    Args:
        rates: [S], rising.
        losses: [S], finite.
        steps: Of the whole ramp, of which the last ones are missing where the loss diverged.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    steps: int

    @cached_property
    def smoothed(self) -> np.ndarray:
        """[S]: the running mean of the losses."""
        mean = RunningMean(self.steps)
        return np.array([mean.add(loss) for loss in self.losses])

    @property
    def diverged(self) -> bool:
        """Whether the ramp was left before its end."""
        return len(self.rates) < self.steps

    @property
    def steepest(self) -> float | None:
        """The rate at which the smoothed loss falls fastest, over the logarithm of the rate.

        None where it never falls.
        """
        if len(self.rates) < _LEAST_STEPS:
            return None
        slopes = np.gradient(self.smoothed, np.log(self.rates))
        place = int(slopes.argmin())
        return float(self.rates[place]) if slopes[place] < 0 else None

    @property
    def least(self) -> float | None:
        """The rate at which the smoothed loss is least; None where that is the first step."""
        place = int(self.smoothed.argmin()) if len(self.losses) else 0
        return float(self.rates[place]) if place else None

    @property
    def tenth_of_least(self) -> float | None:
        """A tenth of that rate: the older rule, which does not look at slopes."""
        return None if self.least is None else self.least / 10

    @property
    def suggested(self) -> float | None:
        """The lower one of the two: with much noise the steepest step may be the last one before
        the loss diverges. None where there is neither.

        >>> rates = rising_rates(1e-4, 1.0, 100)
        >>> curve = RateRange(rates.tolist(), np.linspace(2, 1, 100).tolist(), 100)
        >>> round(curve.suggested, 3) == round(min(curve.steepest, curve.least / 10), 3)
        True
        """
        found = [rate for rate in (self.steepest, self.tenth_of_least) if rate is not None]
        return min(found, default=None)
