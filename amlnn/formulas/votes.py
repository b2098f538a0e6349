"""Votes of several classifiers over the probabilities that they give.

Axes: M members, N images, K classes.
"""

from collections.abc import Sequence

import numpy as np

from amlnn.formulas.log_loss import LEAST, log_loss

__all__ = ['fitted_weights', 'greedy_counts', 'hard_vote', 'soft_vote']


def soft_vote(probs_MNK: np.ndarray, weights_M: Sequence[float] | np.ndarray | None = None
              ) -> np.ndarray:
    """Mean of the members' probabilities, float64 [N, K].

    Args:
        probs_MNK: [M, N, K], of each member.
        weights_M: [M], at least 0, not all 0; None for equal ones.

    >>> soft_vote(np.array([[[0.9, 0.1]], [[0.2, 0.8]]])).round(2).tolist()
    [[0.55, 0.45]]
    >>> soft_vote(np.array([[[0.9, 0.1]], [[0.2, 0.8]]]), [1, 3]).round(3).tolist()
    [[0.375, 0.625]]
    """
    weights = np.ones(len(probs_MNK)) if weights_M is None else np.asarray(weights_M, np.float64)
    total_NK = np.zeros(probs_MNK.shape[1:])
    for weight, probs_NK in zip(weights / weights.sum(), probs_MNK, strict=True):
        if weight:
            total_NK += weight * probs_NK
    return total_NK


def hard_vote(probs_MNK: np.ndarray) -> np.ndarray:
    """One vote a member, for its most probable class; float64 [N, K], whose rows sum to 1.

    A row's largest value is at the class with the most votes, and of several at the one with the
    largest mean probability: (votes + mean probability) / (M + 1). A mean probability is below 1
    unless all vote alike, so it never outweighs a vote.

    Args:
        probs_MNK: [M, N, K], of each member.

    >>> votes = np.array([[[0.9, 0.1, 0.0]], [[0.4, 0.6, 0.0]], [[0.4, 0.6, 0.0]]])
    >>> hard_vote(votes).argmax(axis=1), hard_vote(votes[:2]).argmax(axis=1)
    (array([1]), array([0]))
    """
    members, _, classes = probs_MNK.shape
    votes_NK = np.zeros(probs_MNK.shape[1:])
    for probs_NK in probs_MNK:
        votes_NK += probs_NK.argmax(axis=1)[:, None] == np.arange(classes)
    return np.asarray((votes_NK + soft_vote(probs_MNK)) / (members + 1))


def fitted_weights(of_label_MN: np.ndarray, gap: float = 1e-5, rounds: int = 20_000) -> np.ndarray:
    """Weights of a soft vote with the least log loss, float64 [M]: at least 0, their sum is 1.

    The log loss of a weighted mean of probabilities is convex in the weights, and expectation
    maximisation for the shares of a mixture descends to its least value without leaving the
    simplex or asking for a step size: with g_m = mean over n of p_mn / sum over j of w_j p_jn,
    w_m becomes w_m g_m. As the loss is convex, it is at most max g - 1 above the least one, which
    says when to stop.

    Args:
        of_label_MN: [M, N], the probability that each member gives to the right class.
        gap: Stop at most so many nats above the least log loss.
        rounds: Stop after so many rounds all the same.

    Source: A. P. Dempster, N. M. Laird and D. B. Rubin, Maximum likelihood from incomplete data via
    the EM algorithm, JRSS B 39 (1977) 1-38, section 4.3 with fixed components.

    >>> fitted_weights(np.array([[0.9, 0.9, 0.1], [0.1, 0.1, 0.9]])).round(2).tolist()
    [0.71, 0.29]
    >>> fitted_weights(np.array([[0.9, 0.8], [0.3, 0.2]])).round(4).tolist()  # never of use
    [1.0, 0.0]
    """
    probs_MN = np.asarray(of_label_MN, np.float64).clip(LEAST, 1)
    weights_M = np.full(len(probs_MN), 1 / len(probs_MN))
    for _ in range(rounds):
        gains_M = (probs_MN / (weights_M @ probs_MN)).mean(axis=1)
        weights_M = weights_M * gains_M
        if gains_M.max() - 1 <= gap:
            break
    return np.asarray(weights_M / weights_M.sum())


def greedy_counts(probs_MNK: np.ndarray, labels_N: np.ndarray, rounds: int = 50) -> np.ndarray:
    """How often greedy forward selection takes each member into a soft vote, int [M].

    In every round the member is added, one that is in already too, with which the mean of all has
    the highest accuracy; of equals the one with the lower log loss, then the first. All rounds are
    made, and the selection after the best of them counts: by accuracy, then log loss, then the
    fewest members.

    Args:
        probs_MNK: [M, N, K], of each member.
        labels_N: [N] int.
        rounds: At most so many members, repeated ones counted as often.

    Source: R. Caruana et al., Ensemble selection from libraries of models, ICML 2004: section 2,
    with replacement (2.1), without sorted initialisation (2.2) and bags (2.3).

    >>> right, nearly, wrong = [0.9, 0.1], [0.4, 0.6], [0.1, 0.9]
    >>> members = np.array([[right, nearly], [nearly, right], [wrong, wrong]])
    >>> greedy_counts(members, np.array([0, 0])).tolist()  # the mean of the first two is right
    [1, 1, 0]
    """
    counts_M = np.zeros(len(probs_MNK), np.int64)
    total_NK = np.zeros(probs_MNK.shape[1:])
    best, best_counts_M = (-1.0, 0.0), counts_M
    for size in range(1, rounds + 1):
        reached = [_quality((total_NK + probs_NK) / size, labels_N) for probs_NK in probs_MNK]
        member = max(range(len(reached)), key=reached.__getitem__)  # of equals the first
        counts_M[member] += 1
        total_NK += probs_MNK[member]
        if reached[member] > best:
            best, best_counts_M = reached[member], counts_M.copy()
    return best_counts_M


def _quality(probs_NK: np.ndarray, labels_N: np.ndarray) -> tuple[float, float]:
    """Accuracy and, where that is equal, less log loss: more is better."""
    right = float((probs_NK.argmax(axis=1) == labels_N).mean())
    # What differs by rounding alone is equal.
    return right, -round(log_loss(probs_NK, labels_N), 9)
