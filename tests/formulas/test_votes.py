"""Votes, against scikit-learn's VotingClassifier, a grid over the simplex, and plain loops."""

import itertools

import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.metrics import log_loss as sklearn_log_loss

from amlnn.formulas.log_loss import log_loss
from amlnn.formulas.votes import (
    LEAST,
    fitted_weights,
    greedy_counts,
    hard_vote,
    soft_vote,
)


class Stored:
    """A classifier that gives stored probabilities, for VotingClassifier."""

    def __init__(self, probs: np.ndarray):
        self.probs = probs

    def predict_proba(self, inputs):
        return self.probs

    def predict(self, inputs):
        return self.probs.argmax(axis=1)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 4, 200)


@pytest.fixture
def members(labels) -> np.ndarray:
    """[3, 200, 4]: each gives the right class more than others do, the first the most."""
    generator = np.random.default_rng(6)
    scores = generator.normal(size=(3, 200, 4))
    scores[:, np.arange(200), labels] += np.array([1.6, 1.4, 1.2])[:, None]
    probs = np.exp(2 * scores)  # surer than they should be, so that a mean is better than the best
    return (probs / probs.sum(axis=2, keepdims=True)).astype(np.float32)


def sklearns(members: np.ndarray, voting: str, weights=None) -> VotingClassifier:
    vote = VotingClassifier([(str(place), None) for place in range(len(members))], voting=voting,
                            weights=weights)
    vote.estimators_ = [Stored(probs) for probs in members]
    vote.le_ = type('Same', (), {'inverse_transform': staticmethod(lambda found: found)})
    return vote


@pytest.mark.parametrize('weights', [None, [1, 2, 5]])
def test_a_soft_vote_is_scikit_learns(members, weights):
    expected = sklearns(members, 'soft', weights)._collect_probas(None)
    np.testing.assert_allclose(soft_vote(members, weights),
                               np.average(expected, axis=0, weights=weights), rtol=1e-6)


def test_a_hard_vote_is_scikit_learns_where_one_class_has_the_most_votes(members):
    expected = sklearns(members, 'hard').predict(np.zeros((200, 1)))
    votes = np.stack([probs.argmax(axis=1) for probs in members])
    most = np.array([np.bincount(column, minlength=4).max() for column in votes.T])
    assert 100 < (most > 1).sum() < 200
    found = hard_vote(members)
    np.testing.assert_array_equal(found.argmax(axis=1)[most > 1], expected[most > 1])
    # All three differ: the mean probability decides, among the classes that have a vote.
    for image in np.flatnonzero(most == 1):
        mean = members[:, image].mean(axis=0)
        assert found[image].argmax() == max(votes[:, image], key=lambda k: mean[k])


def test_a_majority_that_is_barely_sure_outvotes_a_minority_that_is_certain():
    members = np.array([[[1.0, 0.0]], [[0.49, 0.51]], [[0.49, 0.51]]])
    assert soft_vote(members).argmax() == 0 and hard_vote(members).argmax() == 1
    np.testing.assert_allclose(hard_vote(members).sum(axis=1), 1)


def test_the_log_loss_is_scikit_learns(members, labels):
    assert log_loss(members[0], labels) == pytest.approx(sklearn_log_loss(labels, members[0]),
                                                         rel=1e-5)
    certain = np.array([[1.0, 0.0]], np.float32)
    assert log_loss(certain, np.array([1])) == pytest.approx(-np.log(LEAST))
    assert log_loss(certain, np.array([0])) == 0


def test_fitted_weights_are_the_best_of_a_grid_over_the_simplex(members, labels):
    of_label = members[:, np.arange(200), labels].astype(np.float64)
    grid = [np.array([a, b, 100 - a - b]) / 100
            for a, b in itertools.product(range(101), range(101)) if a + b <= 100]
    losses = [-np.log(weights @ of_label).mean() for weights in grid]
    found = fitted_weights(of_label, gap=1e-9)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)
    assert -np.log(found @ of_label).mean() <= min(losses) + 1e-9
    assert np.abs(found - grid[int(np.argmin(losses))]).max() < 0.02
    assert found[0] > found[2] > 0.1 and found[1] > 0.1


def test_the_weights_stop_within_the_gap_that_was_asked_for(members, labels):
    of_label = members[:, np.arange(200), labels]

    def loss(weights):
        return -np.log(weights @ of_label).mean()

    best = loss(fitted_weights(of_label, gap=1e-9))
    for gap in (1e-2, 1e-3, 1e-5):
        assert -1e-9 <= loss(fitted_weights(of_label, gap)) - best <= gap


def test_weights_are_found_where_every_member_gives_the_right_class_nothing():
    found = fitted_weights(np.array([[0.0, 0.5], [0.0, 0.25]]))
    assert np.isfinite(found).all() and found[0] > found[1]


def plainly_greedy(members, labels, rounds):
    """Every step by scoring every possible bag anew."""

    def score(bag):
        mean = sum(members[place].astype(np.float64) for place in bag) / len(bag)
        picked = [-np.log(max(row[label], LEAST)) for row, label in zip(mean, labels, strict=True)]
        right = sum(int(row.argmax() == label) for row, label in zip(mean, labels, strict=True))
        return right, -round(sum(picked) / len(picked), 9)

    bag, best = [], None
    for _ in range(rounds):
        bag = max(([*bag, place] for place in range(len(members))), key=score)
        if best is None or score(bag) > score(best):
            best = bag
    return [best.count(place) for place in range(len(members))]


@pytest.mark.parametrize('rounds', [1, 2, 7])
def test_greedy_selection_takes_what_scoring_every_bag_takes(members, labels, rounds):
    members, labels = members[:, :60], labels[:60]
    found = greedy_counts(members, labels, rounds)
    assert found.tolist() == plainly_greedy(members, labels, rounds)
    assert 1 <= found.sum() <= rounds


def test_greedy_selection_keeps_the_best_of_its_rounds():
    # The first is right everywhere: no addition makes it better, and a twin is not added.
    right = np.tile([0.9, 0.1], (4, 1))
    members = np.stack([right, right, right[:, ::-1]])
    assert greedy_counts(members, np.zeros(4, int)).tolist() == [1, 0, 0]


def test_greedy_selection_is_no_worse_than_the_best_member_where_it_selects(members, labels):
    counts = greedy_counts(members, labels)
    right = (soft_vote(members, counts).argmax(axis=1) == labels).mean()
    assert right >= max((probs.argmax(axis=1) == labels).mean() for probs in members)
