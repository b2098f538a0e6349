"""Ridge regression on class labels, every strength and every left-out group from one factorisation.

Axes: N images, C features, R of their directions, K classes, Q queries, G groups, S strengths.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from amlnn.formulas.cholesky import damped_solution
from amlnn.formulas.standardised import blocks

__all__ = ['Ridge', 'indicators', 'one_hot', 'ridge_scores']


def one_hot(labels: np.ndarray, classes: int, dtype: type = np.float64) -> np.ndarray:
    """[N, K]: 1 for the class of an image, 0 for the others.

    >>> one_hot(np.array([1, 0]), 3).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    hot_NK: np.ndarray = np.zeros((len(labels), classes), dtype)
    hot_NK[np.arange(len(labels)), labels] = 1
    return hot_NK


def indicators(labels: np.ndarray, classes: int, dtype: type = np.float64) -> np.ndarray:
    """[N, K]: 1 for the class of an image, -1 for the others.

    >>> indicators(np.array([1, 0]), 2).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """
    targets_NK: np.ndarray = 2 * one_hot(labels, classes, dtype) - 1
    return targets_NK


@dataclass(frozen=True)
class Ridge:
    """Ridge regression with a free intercept, min ||Y - XW - b||² + strength ||W||², factorised.

    Args:
        features: Of the training images, [N, C].
        targets: What is to be predicted of them, [N, K]: `indicators` for a classifier.

    Source: T. Hastie, R. Tibshirani and J. Friedman, The Elements of Statistical Learning, 2nd
    edition, 3.4.1: with X'X = V S V' of the centred features, W = V (S + strength)^-1 V'X'Y.

    >>> ridge = Ridge(np.array([[0.], [1.], [2.]]), np.array([[0.], [1.], [2.]]))
    >>> ridge.scores(np.array([[3.]]), 0.0).round(6).tolist(), round(float(
    ...     ridge.scores(np.array([[3.]]), 2.0)[0, 0]), 6)
    ([[3.0]], 2.0)
    """

    features: np.ndarray
    targets: np.ndarray

    @cached_property
    def _means(self) -> tuple[np.ndarray, np.ndarray]:
        return self.features.mean(axis=0), self.targets.mean(axis=0)

    @property
    def _by_images(self) -> bool:
        """Whether XX' is factorised, the smaller matrix."""
        rows, columns = self.features.shape
        return bool(rows < columns)

    @cached_property
    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues [R], the largest first, and eigenvectors of XX' or X'X, centred."""
        x_NC = self.features - self._means[0]
        values, vectors = np.linalg.eigh(x_NC @ x_NC.T if self._by_images else x_NC.T @ x_NC)
        kept = values > max(values[-1], 0) * max(x_NC.shape) * np.finfo(values.dtype).eps
        return values[kept][::-1], vectors[:, kept][:, ::-1]

    @property
    def eigenvalues(self) -> np.ndarray:
        """[R], of the centred features' X'X; R is its rank."""
        return self._factors[0]

    @cached_property
    def directions(self) -> np.ndarray:
        """[C, R]: the eigenvectors of X'X."""
        values, vectors = self._factors
        if not self._by_images:
            return vectors
        directions_CR: np.ndarray = (self.features - self._means[0]).T @ (vectors / np.sqrt(values))
        return directions_CR

    @cached_property
    def rotated(self) -> np.ndarray:
        """[N, R]: the centred features along the directions of X'X."""
        values, vectors = self._factors
        rotated_NR: np.ndarray = vectors * np.sqrt(values) if self._by_images \
            else (self.features - self._means[0]) @ vectors
        return rotated_NR

    @cached_property
    def products(self) -> np.ndarray:
        """[R, K]: Z'Y, with the rotated features Z and the centred targets Y."""
        products_RK: np.ndarray = self.rotated.T @ (self.targets - self._means[1])
        return products_RK

    def project(self, queries_QC: np.ndarray, weights_RK: np.ndarray) -> np.ndarray:
        """[Q, K]: what weights of directions make of any features, less what of the mean."""
        projected_QK: np.ndarray = (queries_QC - self._means[0]) @ (self.directions @ weights_RK)
        return projected_QK

    def scores(self, queries_QC: np.ndarray, strength: float) -> np.ndarray:
        """What is predicted of queries: [Q, K]."""
        scores_QK: np.ndarray = self.project(queries_QC, self._weights(strength)) + self._means[1]
        return scores_QK

    def left_out(self, strengths: Sequence[float], groups: np.ndarray | None = None
                 ) -> Iterator[np.ndarray]:
        """What is predicted of each training image by a fit without it, and without its group.

        Args:
            strengths: Of the penalty.
            groups: Int [N], whose equal numbers are left out together; None leaves out one image.

        Yields:
            [N, K] of each strength.

        Source: R. D. Cook and S. Weisberg, Residuals and Influence in Regression (1982), 2.2.3 in
        blocks: the residuals of a left-out group g are e_g = (I - H_gg)^-1 r_g, with the residuals
        r of the whole fit and its hat matrix H = 1/N + Z (S + strength)^-1 Z'.

        >>> x = np.array([[0.], [1.], [2.], [4.]])
        >>> ridge, others = Ridge(x, x ** 2), Ridge(x[2:], x[2:] ** 2)
        >>> (told,) = ridge.left_out([0.5], np.array([7, 7, 0, 1]))
        >>> bool(np.allclose(told[:2], others.scores(x[:2], 0.5)))
        True
        """
        several = _several(groups)
        for strength, leverage_N in zip(strengths, self._leverages(strengths).T, strict=True):
            residual_NK = self.targets - self.rotated @ self._weights(strength) - self._means[1]
            error_NK = residual_NK / np.maximum(1 - leverage_N, _LEAST)[:, None]
            for members in several:
                part_gR = self.rotated[members]
                hat_gg = (part_gR / self._damped(strength)) @ part_gR.T + 1 / len(self.features)
                error_NK[members] = np.linalg.solve(
                    np.eye(len(members), dtype=hat_gg.dtype) - hat_gg, residual_NK[members])
            yield self.targets - error_NK

    def _leverages(self, strengths: Sequence[float]) -> np.ndarray:
        """[N, S]: the diagonals of the hat matrices."""
        inverse_RS = np.stack([1 / self._damped(strength) for strength in strengths], axis=1)
        return 1 / len(self.features) + np.concatenate(
            [self.rotated[part] ** 2 @ inverse_RS for part in blocks(len(self.features))])

    def _weights(self, strength: float) -> np.ndarray:
        """[R, K], of the directions."""
        weights_RK: np.ndarray = self.products / self._damped(strength)[:, None]
        return weights_RK

    def _damped(self, strength: float) -> np.ndarray:
        damped_R: np.ndarray = self.eigenvalues + self.eigenvalues.dtype.type(strength)
        return damped_R


_LEAST = 1e-6
"""Of 1 - h: an image that the fit goes through whatever its label."""


def _several(groups: np.ndarray | None) -> list[np.ndarray]:
    """Members of the groups of two and more."""
    if groups is None:
        return []
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order, ends = np.argsort(inverse, kind='stable'), np.cumsum(counts)
    return [order[ends[group] - counts[group]:ends[group]]
            for group in np.flatnonzero(counts > 1)]


def ridge_scores(x_NC: np.ndarray, y_NK: np.ndarray, queries_QC: np.ndarray,
                 strength: float) -> np.ndarray:
    """What one ridge regression with a free intercept predicts of queries: [Q, K].

    For one strength, or few images, it is cheaper than `Ridge`: a system of min(N, C) equations.

    >>> x = np.array([[0.], [1.], [2.]])
    >>> float(ridge_scores(x, x, np.array([[3.]]), 2.0)[0, 0])
    2.0
    """
    mean_C, mean_K = x_NC.mean(axis=0), y_NK.mean(axis=0)
    centred_NC, targets_NK = x_NC - mean_C, y_NK - mean_K
    rows, columns = centred_NC.shape
    dual = rows <= columns
    square = centred_NC @ centred_NC.T if dual else centred_NC.T @ centred_NC
    if dual:
        weights_CK = centred_NC.T @ damped_solution(square, targets_NK, strength)
    else:
        weights_CK = damped_solution(square, centred_NC.T @ targets_NK, strength)
    scores_QK: np.ndarray = (queries_QC - mean_C) @ weights_CK + mean_K
    return scores_QK
