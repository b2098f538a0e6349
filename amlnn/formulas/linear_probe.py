"""A linear classifier in closed form: ridge regression on features, from sums over batches."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.formulas.class_sums import ClassSums

__all__ = ['LinearProbe', 'ProbeSums']

# N samples, F features, K classes

_PENALTIES = np.logspace(-6, 3, 28)
"""Beside the mean variance of a feature."""


@dataclass(frozen=True)
class LinearProbe:
    """Scores are `features @ weights.T + bias`."""

    weights: np.ndarray
    """[K, F] float64."""
    bias: np.ndarray
    """[K] float64."""
    penalty: float
    """That was chosen, in units of the features' squares, summed over the samples."""


class ProbeSums(ClassSums):
    """Sums that ridge regression follows from, with a penalty that it chooses.

    `amlnn.formulas.ridge` holds all features, and in return tells what is left out one by one.

    Targets are 1 for a sample's class and 0 for the others; what remains is that of least squares.

    >>> sums = ProbeSums(width=1, classes=2)
    >>> sums.add(np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1])
    >>> probe = sums.solve()
    >>> (np.array([[0.5], [2.5]]) @ probe.weights.T + probe.bias).argmax(1).tolist()
    [0, 1]
    """

    def solve(self, penalties: Sequence[float] | np.ndarray | None = None) -> LinearProbe:
        """The solution with the penalty that generalised cross-validation prefers.

        Golub, Heath and Wahba, Generalized cross-validation as a method for choosing a good ridge
        parameter, Technometrics 21, 1979. The intercept is not penalised.

        Args:
            penalties: Among which it chooses; None for 28 from a millionth of the mean variance of
                a feature to a thousandfold of it, times the number of samples.
        """
        centred = self.centred()
        # The targets are 0 or 1: their squares are themselves.
        total = float((self.count_K - self.count * centred.share ** 2).sum())
        values_F, vectors_FF = np.linalg.eigh(centred.squares)
        values_F = values_F.clip(min=0)
        rotated_FK = vectors_FF.T @ centred.products
        if penalties is None:
            penalties = _PENALTIES * max(float(values_F.mean()), 1e-12)
        penalty = min(penalties, key=lambda each: self._error(each, values_F, rotated_FK, total))
        weights_FK = vectors_FF @ (rotated_FK / (values_F + penalty)[:, None])
        return LinearProbe(weights_FK.T, centred.offset(weights_FK), float(penalty))

    def _error(self, penalty: float, values_F: np.ndarray, rotated_FK: np.ndarray,
               total: float) -> float:
        squares_F = (rotated_FK ** 2).sum(1)
        shrunk_F = 1 / (values_F + penalty)
        rest = total - 2 * float((squares_F * shrunk_F).sum()) + float(
            (squares_F * values_F * shrunk_F ** 2).sum())
        free = 1 - (1 + float((values_F * shrunk_F).sum())) / self.count
        return math.inf if free <= 0 else max(rest, 0.0) / free ** 2
