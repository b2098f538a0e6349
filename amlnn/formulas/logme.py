"""How well features explain labels, in one number that needs no held-out images."""

import numpy as np

__all__ = ['logme']

_STEPS = 100
_CLOSE = 1e-6


def logme(eigenvalues: np.ndarray, products_RK: np.ndarray, squares_K: np.ndarray,
          images: int) -> float:
    """The greatest log evidence of a Bayesian linear model an image, averaged over classes.

    Labels are y = Xw + noise, with w ~ N(0, 1/alpha) and noise ~ N(0, 1/beta); alpha and beta are
    where the evidence is greatest, by the fixed point of MacKay.

    Args:
        eigenvalues: [R], of X'X, above 0. Further features, along which no image differs, change
            nothing.
        products_RK: [R, K], Z'Y with the features Z along the eigenvectors.
        squares_K: [K], the sum of the squares of each class's labels.
        images: N; one less where features and labels are centred.

    Source: K. You, Y. Liu, J. Wang and M. Long, LogME: Practical assessment of pre-trained models
    for transfer learning, ICML 2021, algorithm 3 with the fixed point of its section 4.3.

    >>> x = np.array([[-1.], [0.], [1.]])
    >>> fits = logme(np.array([2.]), x.T @ x, np.array([2.]), 3)
    >>> fails = logme(np.array([2.]), np.array([[0.]]), np.array([2.]), 3)
    >>> bool(fits > fails)
    True
    """
    sigma_R = np.asarray(eigenvalues, np.float64)
    found = [_evidence(sigma_R, np.asarray(column_R, np.float64) ** 2 / sigma_R, float(square),
                       images)
             for column_R, square in zip(products_RK.T, squares_K, strict=True)]
    return float(np.mean(found))


def _evidence(sigma_R: np.ndarray, along_R: np.ndarray, square: float, images: int) -> float:
    """Of one class; `along_R` are the squares of its labels along the left singular vectors."""
    beyond = max(square - float(along_R.sum()), 0.0)
    alpha = beta = 1.0
    for _ in range(_STEPS):
        ratio = alpha / beta
        gamma = float((sigma_R / (sigma_R + ratio)).sum())
        weights = float((sigma_R * along_R / (sigma_R + ratio) ** 2).sum())
        errors = float((along_R * (ratio / (sigma_R + ratio)) ** 2).sum()) + beyond
        # Labels that nothing or everything explains would send them to infinity.
        alpha = max(gamma, _LEAST) / max(weights, _LEAST)
        beta = (images - gamma) / max(errors, _LEAST)
        if abs(alpha / beta - ratio) <= _CLOSE * ratio:
            break
    ratio = alpha / beta
    weights = float((sigma_R * along_R / (sigma_R + ratio) ** 2).sum())
    errors = float((along_R * (ratio / (sigma_R + ratio)) ** 2).sum()) + beyond
    # Less the log of the determinant of alpha + beta X'X, over that of alpha alone.
    spread = float(np.log1p(sigma_R / ratio).sum())
    evidence = (images * np.log(beta) - spread - beta * errors - alpha * weights
                - images * np.log(2 * np.pi)) / 2
    return float(evidence / images)


_LEAST = 1e-12
