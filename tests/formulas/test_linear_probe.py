"""Ridge regression from sums, against scikit-learn on the samples themselves."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import Ridge, RidgeCV

from amlnn.formulas.linear_probe import ProbeSums
from amlnn.formulas.temperature import best_scale


@pytest.fixture
def samples():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, size=200)
    features = random.normal(size=(200, 12)) + random.normal(size=(4, 12))[labels] + 3
    return features, labels


def sums_of(features, labels, parts=3):
    sums = ProbeSums(features.shape[1], 4)
    for rows in np.array_split(np.arange(len(labels)), parts):
        sums.add(features[rows], labels[rows].tolist())
    return sums


@pytest.mark.parametrize('penalty', [0.1, 10.0, 1e4])
def test_weights_and_bias_are_those_of_scikit_learn(samples, penalty):
    features, labels = samples
    probe = sums_of(features, labels).solve([penalty])
    ridge = Ridge(alpha=penalty).fit(features, np.eye(4)[labels])
    assert np.allclose(probe.weights, ridge.coef_, atol=1e-9)
    assert np.allclose(probe.bias, ridge.intercept_, atol=1e-9)
    assert probe.penalty == penalty


def test_the_parts_in_which_samples_come_do_not_matter(samples):
    one, many = (sums_of(*samples, parts=parts).solve() for parts in (1, 9))
    assert np.allclose(one.weights, many.weights) and one.penalty == pytest.approx(many.penalty)


def test_the_penalty_is_the_one_with_the_least_generalised_error(samples):
    features, labels = samples
    penalties = np.logspace(-3, 5, 9)
    targets = np.eye(4)[labels]

    def error(penalty):
        # Of its definition: residuals and the trace of the matrix that makes forecasts of targets.
        centred = features - features.mean(0)
        hat = centred @ np.linalg.inv(centred.T @ centred + penalty * np.eye(12)) @ centred.T
        hat += 1 / len(features)
        rest = targets - hat @ targets
        return (rest ** 2).sum() / (1 - np.trace(hat) / len(features)) ** 2

    assert sums_of(features, labels).solve(penalties).penalty == min(penalties, key=error)


def test_it_classifies_as_well_as_leave_one_out_finds_possible(samples):
    features, labels = samples
    probe = sums_of(features, labels).solve()
    ridge = RidgeCV(np.logspace(-3, 5, 30)).fit(features, np.eye(4)[labels])
    right = ((features @ probe.weights.T + probe.bias).argmax(1) == labels).mean()
    assert right == pytest.approx((ridge.predict(features).argmax(1) == labels).mean(), abs=0.03)


def test_more_features_than_samples_have_a_solution(samples):
    _, labels = samples
    wide = np.random.default_rng(1).normal(size=(20, 50))
    probe = ProbeSums(50, 4)
    probe.add(wide, labels[:20])
    found = probe.solve()
    assert np.isfinite(found.weights).all() and found.penalty > 0


def test_the_scale_is_that_of_the_least_cross_entropy(samples):
    features, labels = samples
    probe = sums_of(features, labels).solve()
    scores = features @ probe.weights.T + probe.bias

    def loss(scale):
        return -log_softmax(scale * scores, axis=1)[np.arange(200), labels].mean()

    scale = best_scale(scores, labels)
    assert scale > 1 and loss(scale) <= min(loss(0.8 * scale), loss(1.25 * scale))
