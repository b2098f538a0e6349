"""Multinomial logistic regression: L-BFGS on features turned so that few steps are needed.

Axes: N images, C features, R rotated features, K classes, Q queries.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.formulas.ridge import Ridge, one_hot
from amlnn.formulas.softmax import softmax

__all__ = ['Logistic', 'logistic_path', 'loss_of_scores']

_MEMORY = 10
_ARMIJO, _SHRINK, _TRIES = 1e-4, 0.5, 30


def loss_of_scores(scores_NK: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log of the probability of the right class.

    >>> round(loss_of_scores(np.array([[0., np.log(3)]]), np.array([1])), 4)
    0.2877
    """
    top_N = scores_NK.max(axis=1)
    total_N = np.log(np.exp(scores_NK - top_N[:, None]).sum(axis=1)) + top_N
    return float(np.mean(total_N - scores_NK[np.arange(len(labels)), labels], dtype=np.float64))


@dataclass(frozen=True)
class Logistic:
    """A fit of one C."""

    c: float
    """As of scikit-learn: the weight of the losses' sum beside ||W||² / 2."""
    weights: np.ndarray
    """[R, K], of features rotated by the Ridge."""
    intercept: np.ndarray
    """[K], of a sum of 0, as scikit-learn's."""
    ridge: Ridge
    steps: int
    converged: bool

    def scores(self, queries_QC: np.ndarray) -> np.ndarray:
        """[Q, K]; `softmax` of them are probabilities."""
        scores_QK: np.ndarray = self.ridge.project(queries_QC, self.weights) + self.intercept
        return scores_QK


def logistic_path(ridge: Ridge, labels: np.ndarray, cs: Sequence[float], tolerance: float = 1e-4,
                  most_steps: int = 200) -> Iterator[Logistic]:
    """Fits of every C, the smallest first, each from the one before it.

    The objective is scikit-learn's: C times the sum of the losses, and half the squared weights;
    the intercept is free, and of two classes there is one vector of
    weights. It does not change when features are turned, so they are those of the
    Ridge, along the directions in which they differ. There the curvature is nearly diagonal, and
    steps are measured by it.

    Args:
        ridge: Of the training images' features and `indicators`.
        labels: [N] int, of the training images.
        cs: Values of C.
        tolerance: Ends a fit where no derivative of the mean objective is larger.
        most_steps: Of one fit.

    Source: J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition, algorithm 7.4, with
    backtracking (algorithm 3.1).

    >>> ridge = Ridge(np.array([[-2.], [-1.], [1.], [2.]]), np.zeros((4, 1)))
    >>> [round(float(fit.scores(np.array([[1.]]))[0, 1]), 3)
    ...  for fit in logistic_path(ridge, np.array([0, 0, 1, 1]), [1.0, 0.1])]
    [0.12, 0.503]
    """
    rotated_NR, classes = ridge.rotated, int(labels.max()) + 1
    dtype = rotated_NR.dtype
    hot_NK = one_hot(labels, classes, dtype.type)
    theta = np.zeros((rotated_NR.shape[1] + 1, classes), dtype)
    theta[-1] = np.log(hot_NK.mean(axis=0) + 1e-9)
    for c in sorted(cs):
        problem = _Problem(rotated_NR, ridge.eigenvalues, labels, hot_NK, c)
        theta, steps, converged = _minimise(problem, theta, tolerance, most_steps)
        intercept_K = theta[-1] - theta[-1].mean()
        yield Logistic(c, theta[:-1] - theta[:-1].mean(axis=1, keepdims=True), intercept_K, ridge,
                       steps, converged)


@dataclass(frozen=True)
class _Problem:
    """Mean objective and gradient in theta: weights [R, K] and, as a last row, intercepts."""

    rotated_NR: np.ndarray  # noqa: N815 - named as arguments are
    eigenvalues: np.ndarray
    labels: np.ndarray
    hot_NK: np.ndarray  # noqa: N815
    c: float

    @property
    def decay(self) -> float:
        """What the mean objective has of the squared weights, twice."""
        # Of two classes one vector of weights is penalised, the difference of ours.
        return (2 if self.hot_NK.shape[1] == 2 else 1) / (self.c * len(self.labels))

    def curvature(self) -> np.ndarray:
        """[R + 1, 1]: about the second derivatives, those of probabilities of 1 / K."""
        classes = self.hot_NK.shape[1]
        share = (classes - 1) / classes ** 2
        rows = np.append(share * self.eigenvalues / len(self.labels) + self.decay, share)
        return rows[:, None].astype(self.rotated_NR.dtype)

    def scores(self, theta: np.ndarray) -> np.ndarray:
        scores_NK: np.ndarray = self.rotated_NR @ theta[:-1] + theta[-1]
        return scores_NK

    def value(self, scores_NK: np.ndarray, theta: np.ndarray) -> float:
        return loss_of_scores(scores_NK, self.labels) + 0.5 * self.decay * float(
            np.sum(theta[:-1] ** 2, dtype=np.float64))

    def gradient(self, scores_NK: np.ndarray, theta: np.ndarray) -> np.ndarray:
        apart_NK = (softmax(scores_NK) - self.hot_NK) / len(self.labels)
        weights = self.rotated_NR.T @ apart_NK + theta.dtype.type(self.decay) * theta[:-1]
        return np.vstack([weights, apart_NK.sum(axis=0)])


def _minimise(problem: _Problem, theta: np.ndarray, tolerance: float, most_steps: int
              ) -> tuple[np.ndarray, int, bool]:
    curvature = problem.curvature()
    scores_NK = problem.scores(theta)
    value, gradient = problem.value(scores_NK, theta), problem.gradient(scores_NK, theta)
    moves: list[tuple[np.ndarray, np.ndarray, float]] = []
    for step in range(most_steps):
        if np.abs(gradient).max() <= tolerance:
            return theta, step, True
        direction = _direction(gradient, moves, lambda each: each / curvature)
        towards_NK = problem.rotated_NR @ direction[:-1] + direction[-1]
        slope, length = float(np.vdot(gradient, direction)), 1.0
        for _ in range(_TRIES):  # scores are linear in theta: a try costs no product
            tried, tried_NK = theta + length * direction, scores_NK + length * towards_NK
            reached = problem.value(tried_NK, tried)
            if reached <= value + _ARMIJO * length * slope:
                break
            length *= _SHRINK
        else:
            return theta, step, False  # as far as the arithmetic sees
        before = gradient
        theta, scores_NK, value = tried, tried_NK, reached
        gradient = problem.gradient(scores_NK, theta)
        moved, bent = length * direction, gradient - before
        if (along := float(np.vdot(moved, bent))) > 0:
            moves = [*moves[1 - _MEMORY:], (moved, bent, along)]
    return theta, most_steps, False


def _direction(gradient: np.ndarray, moves: Sequence[tuple[np.ndarray, np.ndarray, float]],
               inverse: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Minus the inverse curvature, as the last moves showed it, times the gradient."""
    q, taken = gradient.copy(), []
    for moved, bent, along in reversed(moves):
        share = q.dtype.type(np.vdot(moved, q) / along)
        taken.append(share)
        q -= share * bent
    q = inverse(q)
    if moves:
        moved, bent, along = moves[-1]
        q *= q.dtype.type(along / max(float(np.vdot(bent, inverse(bent))), 1e-30))
    for (moved, bent, along), share in zip(moves, reversed(taken), strict=True):
        q += moved * (share - q.dtype.type(np.vdot(bent, q) / along))
    return -q
