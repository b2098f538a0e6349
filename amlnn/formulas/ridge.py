"""Ridge regression on class labels, every strength and every left-out group from one factorisation.

Axes: N images, C features, K classes, Q queries, G groups.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ['Ridge', 'indicators', 'nested_scores', 'ridge_scores', 'standardised']


def standardised(train_NC: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Features with mean 0 and deviation 1 over the training images; constant ones are 0.

    Args:
        train_NC: [N, C], which alone says what is subtracted and divided by.
        others: [M, C] each.

    Returns:
        The training features and the others, in their dtype.

    >>> train, val = standardised(np.array([[1., 5.], [3., 5.]]), np.array([[4., 6.]]))
    >>> train.tolist(), val.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[2.0, 0.0]])
    """
    mean_C = train_NC.mean(axis=0, dtype=np.float64)
    deviation_C = train_NC.std(axis=0, dtype=np.float64)
    moves = deviation_C > 1e-6 * np.maximum(np.abs(mean_C), 1e-30)
    scale_C = np.where(moves, 1 / np.where(moves, deviation_C, 1), 0.0)
    dtype = train_NC.dtype
    return [(each - mean_C.astype(dtype)) * scale_C.astype(dtype) for each in (train_NC, *others)]


def indicators(labels: np.ndarray, classes: int, dtype: type = np.float64) -> np.ndarray:
    """[N, K]: 1 for the class of an image, -1 for the others.

    >>> indicators(np.array([1, 0]), 2).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """
    targets_NK: np.ndarray = np.full((len(labels), classes), -1, dtype)
    targets_NK[np.arange(len(labels)), labels] = 1
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

    @cached_property
    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues [R], the largest first, and directions [C, R], of the centred features."""
        centred_NC = self.features - self._means[0]
        rows, columns = centred_NC.shape
        if rows < columns:  # the same by way of the smaller matrix
            values, vectors = np.linalg.eigh(centred_NC @ centred_NC.T)
        else:
            values, vectors = np.linalg.eigh(centred_NC.T @ centred_NC)
        kept = values > max(values[-1], 0) * max(rows, columns) * np.finfo(values.dtype).eps
        values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
        if rows < columns:
            vectors = centred_NC.T @ (vectors / np.sqrt(values))
        return values, vectors

    @property
    def eigenvalues(self) -> np.ndarray:
        """[R], of the centred features' X'X; R is its rank."""
        return self._factors[0]

    @cached_property
    def rotated(self) -> np.ndarray:
        """[N, R]: the centred features along the directions of X'X."""
        return self.rotate(self.features)

    @cached_property
    def products(self) -> np.ndarray:
        """[R, K]: Z'Y, with the rotated features Z and the centred targets Y."""
        products_RK: np.ndarray = self.rotated.T @ (self.targets - self._means[1])
        return products_RK

    def rotate(self, queries_QC: np.ndarray) -> np.ndarray:
        """[Q, R]: any features along the directions."""
        rotated_QR: np.ndarray = (queries_QC - self._means[0]) @ self._factors[1]
        return rotated_QR

    def scores(self, queries_QC: np.ndarray, strength: float) -> np.ndarray:
        """What is predicted of queries: [Q, K]."""
        return self.scores_of(self.rotate(queries_QC), strength)

    def scores_of(self, rotated_QR: np.ndarray, strength: float) -> np.ndarray:
        """`scores` of features that are rotated already."""
        weights_RK: np.ndarray = self.products / self._damped(strength)[:, None]
        scores_QK: np.ndarray = rotated_QR @ weights_RK + self._means[1]
        return scores_QK

    def left_out(self, strength: float, groups: np.ndarray | None = None) -> np.ndarray:
        """What is predicted of each training image by a fit without it, and without its group.

        Args:
            strength: Of the penalty.
            groups: Int [N], whose equal numbers are left out together; None leaves out one image.

        Returns:
            [N, K].

        Source: R. D. Cook and S. Weisberg, Residuals and Influence in Regression (1982), 2.2.3 in
        blocks: the residuals of a left-out group g are e_g = (I - H_gg)^-1 r_g, with the residuals
        r of the whole fit and its hat matrix H = 1/N + Z (S + strength)^-1 Z'.

        >>> x = np.array([[0.], [1.], [2.], [4.]])
        >>> ridge, others = Ridge(x, x ** 2), Ridge(x[2:], x[2:] ** 2)
        >>> bool(np.allclose(ridge.left_out(0.5, np.array([7, 7, 0, 1]))[:2],
        ...                  others.scores(x[:2], 0.5)))
        True
        """
        fitted_NK = self.scores_of(self.rotated, strength)
        residual_NK = self.targets - fitted_NK
        half_NR = self.rotated / np.sqrt(self._damped(strength))
        leverage_N = (half_NR ** 2).sum(axis=1) + 1 / len(self.features)
        error_NK = residual_NK / np.maximum(1 - leverage_N, _LEAST)[:, None]
        for members in _several(groups):
            part_gR = half_NR[members]
            hat_gg = part_gR @ part_gR.T + 1 / len(self.features)
            error_NK[members] = np.linalg.solve(
                np.eye(len(members), dtype=hat_gg.dtype) - hat_gg, residual_NK[members])
        told_NK: np.ndarray = self.targets - error_NK
        return told_NK

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
    order = np.argsort(inverse, kind='stable')
    parts = np.split(order, np.cumsum(counts)[:-1])
    return [part for part, count in zip(parts, counts, strict=True) if count > 1]


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
        weights_CK = centred_NC.T @ _solved(square, targets_NK, strength)
    else:
        weights_CK = _solved(square, centred_NC.T @ targets_NK, strength)
    scores_QK: np.ndarray = (queries_QC - mean_C) @ weights_CK + mean_K
    return scores_QK


_DUAL_UP_TO = 5000
"""Images up to which a square of images is factorised, whatever the number of features."""


def nested_scores(blocks: Sequence[tuple[np.ndarray, np.ndarray]], y_NK: np.ndarray,
                  strengths: Sequence[float]) -> Iterator[np.ndarray]:
    """`ridge_scores` on the last block of features, on the last two together, and so on.

    What blocks have in common is computed once.

    Args:
        blocks: Features of training images, [N, C], each of mean 0, and of queries, [Q, C].
        y_NK: Targets.
        strengths: Of the fits, in their order.

    Yields:
        [Q, K] each.

    >>> random = np.random.default_rng(0)
    >>> one, other, y = (random.normal(size=(6, size)) for size in (2, 3, 1))
    >>> one, other = one - one.mean(0), other - other.mean(0)
    >>> *_, both = nested_scores([(one, one), (other, other)], y, [1.0, 2.0])
    >>> together = np.hstack([one, other])
    >>> bool(np.allclose(both, ridge_scores(together, y, together, 2.0)))
    True
    """
    steps = _by_images if len(y_NK) <= _DUAL_UP_TO else _by_features
    mean_K = y_NK.mean(axis=0)
    for scores_QK in steps(blocks, y_NK - mean_K, strengths):
        yield scores_QK + mean_K


def _by_images(blocks: Sequence[tuple[np.ndarray, np.ndarray]], y_NK: np.ndarray,
               strengths: Sequence[float]) -> Iterator[np.ndarray]:
    square_NN = np.zeros((len(y_NK), len(y_NK)), y_NK.dtype)
    across_QN = np.zeros((len(blocks[0][1]), len(y_NK)), y_NK.dtype)
    for (x_NC, queries_QC), strength in zip(reversed(blocks), strengths, strict=True):
        square_NN += x_NC @ x_NC.T
        across_QN += queries_QC @ x_NC.T
        yield across_QN @ _solved(square_NN, y_NK, strength)


def _by_features(blocks: Sequence[tuple[np.ndarray, np.ndarray]], y_NK: np.ndarray,
                 strengths: Sequence[float]) -> Iterator[np.ndarray]:
    x_NP = np.hstack([x for x, _ in blocks])
    queries_QP = np.hstack([queries for _, queries in blocks])
    square_PP, product_PK = x_NP.T @ x_NP, x_NP.T @ y_NK
    first = x_NP.shape[1]
    for (x_NC, _), strength in zip(reversed(blocks), strengths, strict=True):
        first -= x_NC.shape[1]
        yield queries_QP[:, first:] @ _solved(square_PP[first:, first:], product_PK[first:],
                                              strength)


def _solved(square: np.ndarray, right: np.ndarray, strength: float) -> np.ndarray:
    damped = square.copy()
    damped[np.diag_indices_from(damped)] += square.dtype.type(strength)
    return np.linalg.solve(damped, right)
