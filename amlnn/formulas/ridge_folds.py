"""Class scores by ridge regression that never saw the image, nor a copy of it."""

import numpy as np

from amlnn.formulas.cholesky import damped_solution
from amlnn.formulas.class_sums import ClassSums
from amlnn.formulas.softmax import softmax
from amlnn.formulas.standardised import Standardised, blocks

__all__ = ['STRENGTHS', 'class_probabilities', 'fold_scores']

# N images, C features, K classes, F folds, B images of a block

STRENGTHS = (0.03, 0.3, 1.0, 3.0)
"""Penalties that are tried, a training image and standardised feature."""

_CHOOSING = 2
"""Folds by which the penalty is chosen: it is flat about its best value."""

_FITTED = 20_000
"""Images that temperature and offsets are fitted on."""

_STEEPEST = 50.0


def fold_scores(features: Standardised, labels_N: np.ndarray, classes: int, fold_N: np.ndarray,
                 strengths: tuple[float, ...] = STRENGTHS) -> tuple[np.ndarray, float]:
    """Score every image for every class by a regression on the images of the other folds.

    The targets are 1 for an image's class and 0 for the others. The sums of squares are added up
    once a fold; a fold's regression takes those of all others, so that the time is that of one
    regression and a solution a fold.

    Args:
        features: Of the N images.
        labels_N: int [N], 0 to `classes` - 1.
        classes: K.
        fold_N: int [N], from `amlnn.formulas.folds`.
        strengths: Penalties to choose from, by the squared error on the first folds.

    Returns:
        float32 [N, K], about 1 for the class that fits; and the penalty.

    Source: A. E. Hoerl and R. W. Kennard, Ridge regression, Technometrics 12 (1970) 55-67: the
    weights are (X'X + s n I)⁻¹ X'Y for n centred rows and a penalty s.

    >>> from amlnn.formulas.standardised import standardise
    >>> features = standardise(np.array([[0.0], [1.0], [0.1], [1.1]], np.float32))
    >>> scores, strength = fold_scores(features, np.array([0, 1, 0, 1]), 2, np.array([0, 0, 1, 1]))
    >>> scores.argmax(axis=1).tolist(), strength
    ([0, 1, 0, 1], 0.03)
    """
    parts = [(places, _summed(features, labels_N, classes, places)) for places in
             (np.flatnonzero(fold_N == fold) for fold in np.unique(fold_N))]
    whole = ClassSums.together(sums for _, sums in parts)
    strength = strengths[0]
    if len(strengths) > 1:
        errors = [sum(_squared_error(features, labels_N, places, whole.without(sums), value)
                      for places, sums in parts[:_CHOOSING]) for value in strengths]
        strength = strengths[int(np.argmin(errors))]
    scores_NK = np.empty((len(features), classes), np.float32)
    for own, sums in parts:
        weights = _Weights(whole.without(sums), strength)
        for part in blocks(len(own)):
            places = own[part]
            scores_NK[places] = weights.scores(features.rows(places))
    return scores_NK, strength


class _Weights:
    """The solution of a regression."""

    def __init__(self, sums: ClassSums, strength: float):
        equations = sums.centred()
        weights_CK = damped_solution(equations.squares, equations.products,
                                     strength * max(sums.count, 1))
        self.weights_CK = weights_CK.astype(np.float32)
        self.offset_K = equations.offset(weights_CK).astype(np.float32)

    def scores(self, rows_BC: np.ndarray) -> np.ndarray:
        scores_BK: np.ndarray = rows_BC @ self.weights_CK + self.offset_K
        return scores_BK


def _summed(features: Standardised, labels_N: np.ndarray, classes: int,
            places: np.ndarray) -> ClassSums:
    sums = ClassSums(features.width, classes, np.float32)
    for part in blocks(len(places)):
        sums.add(features.rows(places[part]), labels_N[places[part]])
    return sums


def _squared_error(features: Standardised, labels_N: np.ndarray, places: np.ndarray,
                   sums: ClassSums, strength: float) -> float:
    weights, error = _Weights(sums, strength), 0.0
    for part in blocks(len(places)):
        scores_BK = weights.scores(features.rows(places[part]))
        scores_BK[np.arange(len(scores_BK)), labels_N[places[part]]] -= 1
        error += float((scores_BK.astype(np.float64) ** 2).sum())
    return error


def class_probabilities(scores_NK: np.ndarray, labels_N: np.ndarray,
                        steps: int = 100) -> np.ndarray:
    """Turn scores into probabilities that are right on average: of each class, and in sureness.

    Args:
        scores_NK: [N, K], of images that the scorer did not see.
        labels_N: int [N].
        steps: At most.

    Returns:
        float32 [N, K].

    Source: softmax of t s + b, fitted by maximum likelihood: A. Alexandari, A. Kundaje and A.
    Shrikumar, Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift
    adaptation, ICML 2020. At the best b every class has as many images as it is given probability.

    >>> scores = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
    >>> [round(float(each), 2) for each in class_probabilities(scores, np.array([0, 0, 1, 1]))[0]]
    [0.67, 0.33]
    """
    count, classes = scores_NK.shape
    chosen = np.arange(count) if count <= _FITTED else \
        np.linspace(0, count - 1, _FITTED).astype(int)
    sample_BK, given_B = scores_NK[chosen].astype(np.float64), labels_N[chosen]
    reached_B = sample_BK[np.arange(len(chosen)), given_B]
    wanted_K = np.bincount(given_B, minlength=classes)
    steepness, offset_K = 1.0, np.zeros(classes)
    for _ in range(steps):
        prob_BK = softmax(steepness * sample_BK + offset_K)
        shift_K = np.log((wanted_K + 1) / (prob_BK.sum(axis=0) + 1))
        mean_B = (prob_BK * sample_BK).sum(axis=1)
        spread = float(((prob_BK * sample_BK ** 2).sum(axis=1) - mean_B ** 2).sum())
        wanted = steepness + float((reached_B - mean_B).sum()) / max(spread, 1e-12)
        # Newton's step goes far where all are sure: no more than twice, or half, at a time.
        moved = float(np.clip(wanted, steepness / 2, min(2 * steepness, _STEEPEST)))
        offset_K += shift_K
        done = abs(moved - steepness) < 1e-4 * steepness and np.abs(shift_K).max() < 1e-4
        steepness = moved
        if done:
            break
    found_NK = np.empty((count, classes), np.float32)
    for part in blocks(count):
        found_NK[part] = softmax(steepness * scores_NK[part].astype(np.float64) + offset_K)
    return found_NK
