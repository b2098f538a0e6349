"""Logistic regression is scikit-learn's, for every C of the path."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from amlnn.formulas.logistic import logistic_path, loss_of_scores
from amlnn.formulas.ridge import Ridge, indicators
from amlnn.formulas.softmax import softmax


@pytest.mark.parametrize('sizes', [(150, 20), (40, 80)])
@pytest.mark.parametrize('classes', [2, 5])
def test_every_c_gives_scikit_learns_coefficients_and_probabilities(sizes, classes):
    random = np.random.default_rng(0)
    x = random.normal(size=sizes) * random.uniform(0.3, 3, sizes[1]) + 1
    labels = np.argmax(x[:, :classes] + random.normal(size=(sizes[0], classes)), axis=1)
    labels[:classes] = np.arange(classes)
    queries, ridge = random.normal(size=(9, sizes[1])), Ridge(x, indicators(labels, classes))
    fits = list(logistic_path(ridge, labels, [1.0, 0.001, 0.01, 0.1], 1e-9, 2000))
    assert [fit.c for fit in fits] == [0.001, 0.01, 0.1, 1.0]
    for fit in fits:
        known = LogisticRegression(C=fit.c, solver='newton-cholesky', tol=1e-12,
                                   max_iter=1000).fit(x, labels)
        assert 0 < fit.steps < 500
        np.testing.assert_allclose(softmax(fit.scores(queries)), known.predict_proba(queries),
                                   atol=1e-6)
        weights = ridge.directions @ fit.weights  # in the features as they were
        if classes > 2:
            np.testing.assert_allclose(weights, known.coef_.T, atol=1e-6)
        else:
            np.testing.assert_allclose(weights[:, 1] - weights[:, 0], known.coef_[0], atol=1e-6)


def test_the_loss_is_scikit_learns():
    random = np.random.default_rng(0)
    scores, labels = random.normal(size=(20, 3)), random.integers(0, 3, 20)
    assert loss_of_scores(scores, labels) == pytest.approx(
        log_loss(labels, softmax(scores), labels=[0, 1, 2]))


def test_single_precision_and_a_loose_end_say_the_same_of_nearly_every_image():
    random = np.random.default_rng(1)
    x = random.normal(size=(300, 60)).astype(np.float32)
    labels = np.argmax(x[:, :6] + random.normal(size=(300, 6)), axis=1)
    ridge = Ridge(x, indicators(labels, 6, np.float32))
    (loose,) = logistic_path(ridge, labels, [0.1])
    (exact,) = logistic_path(Ridge(x.astype(np.float64), ridge.targets), labels, [0.1], 1e-9, 999)
    assert loose.steps < exact.steps and loose.weights.dtype == np.float32
    agreement = (loose.scores(x).argmax(1) == exact.scores(x).argmax(1)).mean()
    assert agreement > 0.98


def test_a_limit_of_steps_is_kept_and_said():
    random = np.random.default_rng(1)
    x, labels = random.normal(size=(30, 60)), random.integers(0, 3, 30)
    (fit,) = logistic_path(Ridge(x, indicators(labels, 3)), labels, [100.0], 1e-9, most_steps=2)
    assert fit.steps == 2 and not fit.converged
