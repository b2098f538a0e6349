"""Solutions of symmetric positive systems, by half the work of any system's.

Axes: P equations, K right sides.
"""

import numpy as np

from amlnn.formulas.standardised import blocks

__all__ = ['backwards', 'damped_factor', 'damped_solution', 'forwards']

_STEP = 64
"""Equations of a triangle that are solved at once, as any system; the rest are products."""


def damped_solution(square_PP: np.ndarray, right_PK: np.ndarray, strength: float) -> np.ndarray:
    """(A + strength I)^-1 B, [P, K], of a symmetric A that has no negative eigenvalue.

    What rounding has made of an eigenvalue of 0, perhaps less than that, counts as a little more.

    >>> damped_solution(np.array([[3., 0.], [0., 8.]]), np.array([[4.], [9.]]), 1.0).tolist()
    [[1.0], [1.0]]
    """
    try:
        lower_PP = damped_factor(square_PP, strength)
    except np.linalg.LinAlgError:
        values_P, vectors_PP = np.linalg.eigh(square_PP)
        least = max(values_P[-1], 0) * len(values_P) * np.finfo(values_P.dtype).eps
        damped_P = np.maximum(values_P, least) + values_P.dtype.type(strength)
        found_PK: np.ndarray = vectors_PP @ (vectors_PP.T @ right_PK / damped_P[:, None])
        return found_PK
    return backwards(lower_PP, forwards(lower_PP, right_PK))


def damped_factor(square_PP: np.ndarray, strength: float) -> np.ndarray:
    """L with L L' = A + strength I, [P, P], its upper triangle 0.

    Those of the first equations alone are its first rows and columns.

    Raises:
        numpy.linalg.LinAlgError: that is not positive, to its precision.

    >>> damped_factor(np.array([[3., 2.], [2., 4.]]), 1.0).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    damped_PP = square_PP.copy()
    damped_PP[np.diag_indices_from(damped_PP)] += square_PP.dtype.type(strength)
    lower_PP: np.ndarray = np.linalg.cholesky(damped_PP)
    return lower_PP


def forwards(lower_PP: np.ndarray, right_PK: np.ndarray) -> np.ndarray:
    """L^-1 B, [P, K]; its first rows are those of the first equations alone.

    >>> forwards(np.array([[2., 0.], [1., 2.]]), np.array([[4.], [8.]])).tolist()
    [[2.0], [3.0]]
    """
    found_PK = np.array(right_PK, np.result_type(lower_PP, right_PK))
    for part in blocks(len(lower_PP), _STEP):
        found_PK[part] -= lower_PP[part, :part.start] @ found_PK[:part.start]
        found_PK[part] = np.linalg.solve(lower_PP[part, part], found_PK[part])
    return found_PK


def backwards(lower_PP: np.ndarray, right_PK: np.ndarray) -> np.ndarray:
    """L'^-1 B, [P, K].

    >>> backwards(np.array([[2., 0.], [1., 2.]]), np.array([[4.], [6.]])).tolist()
    [[0.5], [3.0]]
    """
    found_PK = np.array(right_PK, np.result_type(lower_PP, right_PK))
    for part in reversed([*blocks(len(lower_PP), _STEP)]):
        found_PK[part] -= lower_PP[part.stop:, part].T @ found_PK[part.stop:]
        found_PK[part] = np.linalg.solve(lower_PP[part, part].T, found_PK[part])
    return found_PK
