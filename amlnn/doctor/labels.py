"""What features say of labels: which are wrong, which images are the same, which are of no class.

Every image is judged by a regression that saw neither it nor a copy of it. Nothing of the size of
the features is made: 100,000 images of 2,048 features need their own 800 MB, or a memory map, and
less than as much again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.class_pairs import ClassPair, pair_intervals, pairwise_recall
from amlnn.formulas.close_images import (
    close_pairs,
    coordinates,
    far_out,
    linked,
    nearest,
    own_class_distance,
)
from amlnn.formulas.folds import grouped_folds
from amlnn.formulas.proportions import wilson
from amlnn.formulas.ridge_folds import class_probabilities, fold_scores
from amlnn.formulas.standardised import blocks, standardise

__all__ = ['FEWEST', 'LabelJudgement', 'find_suspects', 'judge_labels']

# N images, C features, K classes, P pairs

FEWEST = 5
"""Images of a class, copies counted once, for its labels to be judged; as many as folds."""

_CLOSE = 0.85
_CLOSER_THAN_USUAL = 0.25
"""A near copy has at least that cosine, and at most that share of the usual distance to the nearest
image. Among the flowers all pairs beyond it are the same photograph, and none before it is."""


@dataclass(frozen=True)
class LabelJudgement:
    """What was found, image by image."""

    probability: np.ndarray
    """float32 [N, K], of the regression that did not see the image."""
    suspect: np.ndarray
    """bool [N], whether the label is most likely wrong."""
    suggestion: np.ndarray
    """int [N], the most probable class."""
    own: np.ndarray
    """[N], probability of the label: the lower, the more suspect; 1 where nothing is judged."""
    near_pairs: np.ndarray
    """int [P, 2], pairs that features say are nearly the same."""
    near_cosines: np.ndarray
    """[P], their cosines."""
    group: np.ndarray
    """int [N], the same number for copies and near copies of one image."""
    distance: np.ndarray
    """[N], to the nearest of the own class; NaN of one that is alone in it."""
    outlier: np.ndarray
    """bool [N], whether that is far out for its class."""
    pairs: list[ClassPair]
    """Classes that are not told apart better than by chance."""
    accuracy: float
    low: float
    high: float
    """Share of labels that the regression finds, and its 95 % interval."""
    penalty: float


def judge_labels(features_NC: np.ndarray, labels_N: np.ndarray, classes: int,
                 copies: Sequence[Sequence[int]] = (), folds: int = 5,
                 seed: int = 0) -> LabelJudgement:
    """Judge the labels of images by their features.

    Args:
        features_NC: Finite numbers, an array or a memory map.
        labels_N: int [N], 0 to `classes` - 1.
        classes: K, at least 2.
        copies: Places of images that are known to be the same, or nearly.
        folds: Into which the images are divided.
        seed: Of the division.

    Raises:
        DataError: a feature is not finite, or there are too few classes or images.
    """
    _check(features_NC, labels_N, folds)
    features = standardise(features_NC)
    few_ND = coordinates(features)
    usual = 1 - float(np.median(nearest(features)))
    near_P2, near_P = close_pairs(features, few_ND, max(_CLOSE, 1 - _CLOSER_THAN_USUAL * usual))
    group_N = linked(len(labels_N), np.concatenate([near_P2, *map(_chain, copies)]))
    fold_N = grouped_folds(labels_N, group_N, folds, seed)
    scores_NK, penalty = fold_scores(features, labels_N, classes, fold_N)
    prob_NK = class_probabilities(scores_NK, labels_N)
    suspect_N, suggestion_N, own_N = find_suspects(prob_NK, labels_N, group_N)
    distance_N = own_class_distance(few_ND, labels_N)
    right = float((prob_NK.argmax(axis=1) == labels_N).mean())
    pairs = pair_intervals(pairwise_recall(prob_NK, labels_N),
                           np.bincount(labels_N, minlength=classes))
    return LabelJudgement(
        prob_NK, suspect_N, suggestion_N, own_N, near_P2, near_P, group_N, distance_N,
        far_out(distance_N, labels_N), [pair for pair in pairs if pair.low <= 0.5], right,
        *wilson(right, len(labels_N)), penalty)


def _check(features_NC: np.ndarray, labels_N: np.ndarray, folds: int) -> None:
    for part in blocks(len(features_NC)):
        wrong_B = ~np.isfinite(features_NC[part]).all(axis=1)
        if wrong_B.any():
            raise DataError(f'the features of image {part.start + int(wrong_B.argmax())} are not '
                            'finite numbers', hint='look at the weights, and at '
                            'data_preprocessor, of the config of --config')
    count = len(np.unique(labels_N))
    if count < 2:
        raise DataError(f'the images are of {count} class', hint='labels are judged by how classes '
                        'are told apart: it needs at least two')
    if len(labels_N) < 2 * folds:
        raise DataError(f'{len(labels_N)} images are too few to judge labels by',
                        hint=f'at least {2 * folds}; data_preprocess.py --check looks at files')


def _chain(places: Sequence[int]) -> np.ndarray:
    """Pairs that link all of the places."""
    return np.array([[places[0], other] for other in places[1:]], np.int64).reshape(-1, 2)


def find_suspects(prob_NK: np.ndarray, labels_N: np.ndarray,
                  group_N: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which labels are most likely wrong, by confident learning.

    An image is named where two rules agree: that its label is among the least probable of its
    class, as many as are wrong by estimate, and among those that most clearly are of another class,
    as many as were mistaken for it. Classes with few images, copies counted once, are left alone.

    Args:
        prob_NK: Out of sample.
        labels_N: int [N].
        group_N: int [N], the same number for copies.

    Returns:
        bool [N]; the most probable class, int [N]; and the label's probability, 1 of what is left
        alone.

    Source: C. G. Northcutt, L. Jiang and I. L. Chuang, Confident learning: estimating uncertainty
    in dataset labels, JAIR 70 (2021) 1373-1411, prune by class and by noise rate both; as cleanlab
    does it.
    """
    from cleanlab.filter import find_label_issues
    count, classes = prob_NK.shape
    different = np.unique(np.stack([labels_N, group_N]), axis=1)[0]
    kept = np.flatnonzero(np.bincount(different, minlength=classes) >= FEWEST)
    found_N, suggested_N, own_N = np.zeros(count, bool), labels_N.copy(), np.ones(count)
    rows = np.flatnonzero(np.isin(labels_N, kept))
    if len(kept) < 2:
        return found_N, suggested_N, own_N
    numbers = np.searchsorted(kept, labels_N[rows])
    even_BK = prob_NK[np.ix_(rows, kept)].astype(np.float64)
    even_BK /= even_BK.sum(axis=1, keepdims=True)
    found_N[rows] = find_label_issues(numbers, even_BK, filter_by='both', n_jobs=1)
    own_N[rows] = even_BK[np.arange(len(rows)), numbers]
    suggested_N[rows] = kept[even_BK.argmax(axis=1)]
    return found_N & (suggested_N != labels_N), suggested_N, own_N
