"""Ridge regression on the features of one stage, of two together, and so on; each counts as much.

Axes: N images, K classes, Q queries, P features of all stages, those of the last first; B images of
a block.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from amlnn.formulas.cholesky import backwards, damped_factor, damped_solution, forwards
from amlnn.formulas.standardised import Standardised, blocks

__all__ = ['nested_scores', 'stages_together']

Stages = Sequence[Standardised]
"""From the last one on."""


def stages_together(stages: Stages, places: slice | np.ndarray) -> np.ndarray:
    """Features of stages side by side, [B, P], each stage by the root of its number of features.

    >>> from amlnn.formulas.standardised import standardise
    >>> few, more = (standardise(np.array([[0.] * width, [2.] * width])) for width in (1, 4))
    >>> stages_together([few, more], slice(0, 2)).tolist()
    [[-1.0, -0.5, -0.5, -0.5, -0.5], [1.0, 0.5, 0.5, 0.5, 0.5]]
    """
    return _side_by_side(stages, [stage.features[places] for stage in stages])


def nested_scores(stages: Stages, queries: Sequence[np.ndarray], y_NK: np.ndarray,
                  strengths: Sequence[float], first: int = 1) -> list[np.ndarray]:
    """Scores of ridge regressions on the `first` stages together, on one more, and so on.

    What the fits have in common is computed once.

    Args:
        stages: Of the training images.
        queries: Features of what is asked, of each stage, as they are.
        y_NK: Targets.
        strengths: Of the fits, in their order.
        first: Stages of the first fit.

    Returns:
        [Q, K] each.

    >>> from amlnn.formulas.ridge import ridge_scores
    >>> from amlnn.formulas.standardised import standardise
    >>> random = np.random.default_rng(0)
    >>> last, other, y = (random.normal(size=(6, size)) for size in (2, 3, 1))
    >>> stages = [standardise(last), standardise(other)]
    >>> _, both = nested_scores(stages, [last, other], y, [1.0, 2.0])
    >>> together = stages_together(stages, slice(None))
    >>> bool(np.allclose(both, ridge_scores(together, y, together, 2.0)))
    True
    """
    widths = [*accumulate(stage.width for stage in stages)][first - 1:]
    mean_K = y_NK.mean(axis=0)
    fit = _by_features if widths[-1] <= len(y_NK) else _by_images
    found = [np.empty((len(queries[0]), len(mean_K)), y_NK.dtype) for _ in widths]
    weights = fit(stages, widths, y_NK - mean_K, strengths)
    for part in blocks(len(queries[0])):
        asked_BP = _side_by_side(stages, [each[part] for each in queries])
        for scores_QK, weights_PK in zip(found, weights, strict=True):
            scores_QK[part] = asked_BP[:, :len(weights_PK)] @ weights_PK + mean_K
    return found


def _side_by_side(stages: Stages, features: Sequence[np.ndarray]) -> np.ndarray:
    return np.hstack([stage.of(each) * stage.mean.dtype.type(1 / np.sqrt(stage.width))
                      for stage, each in zip(stages, features, strict=True)])


def _by_features(stages: Stages, widths: Sequence[int], y_NK: np.ndarray,
                 strengths: Sequence[float]) -> list[np.ndarray]:
    """Weights of each fit. Of one strength there is one factor: the first rows and columns of it
    are those of fewer stages.
    """
    size, dtype = widths[-1], stages[0].mean.dtype
    square_PP, product_PK = np.zeros((size, size), dtype), np.zeros((size, y_NK.shape[1]), dtype)
    for part in blocks(len(y_NK)):
        rows_BP = stages_together(stages, part)
        square_PP += rows_BP.T @ rows_BP
        product_PK += rows_BP.T @ y_NK[part]
    found: dict[int, np.ndarray] = {}
    for strength in set(strengths):
        asked = [width for width, each in zip(widths, strengths, strict=True) if each == strength]
        found |= _of_strength(square_PP, product_PK, strength, asked)
    return [found[width] for width in widths]


def _of_strength(square_PP: np.ndarray, product_PK: np.ndarray, strength: float,
                 widths: Sequence[int]) -> dict[int, np.ndarray]:
    size = max(widths)
    try:
        lower_PP = damped_factor(square_PP[:size, :size], strength)
    except np.linalg.LinAlgError:  # by rounding: each by itself
        return {width: damped_solution(square_PP[:width, :width], product_PK[:width], strength)
                for width in widths}
    given_PK = forwards(lower_PP, product_PK[:size])
    return {width: backwards(lower_PP[:width, :width], given_PK[:width]) for width in widths}


def _by_images(stages: Stages, widths: Sequence[int], y_NK: np.ndarray,
               strengths: Sequence[float]) -> list[np.ndarray]:
    """Weights of each fit, by squares of images: cheaper where there are fewer of them."""
    rows_NP = stages_together(stages, slice(None))
    square_NN: np.ndarray = np.zeros((len(y_NK), len(y_NK)), rows_NP.dtype)
    found, before = [], 0
    for width, strength in zip(widths, strengths, strict=True):
        added_NP = rows_NP[:, before:width]
        square_NN += added_NP @ added_NP.T
        found.append(rows_NP[:, :width].T @ damped_solution(square_NN, y_NK, strength))
        before = width
    return found
