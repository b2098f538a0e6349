"""A temperature is that of scipy's minimum, and leaves the order of classes as it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss as log_loss_of_sklearn

from amlnn.formulas.log_loss import log_loss
from amlnn.formulas.temperature import fit_temperature, with_temperature


def drawn(seed, sharpness, images=300, classes=4):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    scores = random.standard_normal((images, classes))
    scores[np.arange(images), labels] += 1
    return softmax(sharpness * scores, axis=1), labels


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), sharpness=st.floats(0.2, 6))
def test_the_temperature_is_the_minimum_that_scipy_finds(seed, sharpness):
    probs, labels = drawn(seed, sharpness)

    def loss(inverse):
        return -log_softmax(inverse * np.log(probs), axis=1)[np.arange(len(labels)), labels].mean()

    expected = minimize_scalar(loss, bounds=(0.02, 50), method='bounded',
                               options=dict(xatol=1e-10))
    assert 1 / fit_temperature(probs, labels) == pytest.approx(expected.x, rel=1e-4)


def test_sharpened_probabilities_are_brought_back():
    probs, labels = drawn(1, 1.0, images=4000)
    plain = fit_temperature(probs, labels)
    sharp = softmax(3 * np.log(probs), axis=1)
    assert fit_temperature(sharp, labels) == pytest.approx(3 * plain, rel=1e-6)
    np.testing.assert_allclose(with_temperature(sharp, 3.0), probs, rtol=1e-9)


def test_the_log_loss_is_that_of_scikit_learn():
    probs, labels = drawn(2, 2.0)
    assert log_loss(probs, labels) == pytest.approx(log_loss_of_sklearn(labels, probs), rel=1e-9)


def test_the_order_of_classes_stays_and_rows_sum_to_one():
    probs, _ = drawn(3, 2.0)
    for temperature in (0.1, 1.0, 7.0):
        other = with_temperature(probs, temperature)
        np.testing.assert_allclose(other.sum(axis=1), 1)
        assert (other.argsort(axis=1) == probs.argsort(axis=1)).all()


@pytest.mark.parametrize('labels', [[0, 0, 0], [1, 1, 1]], ids=['all right', 'all wrong'])
def test_answers_that_are_all_right_or_wrong_end_at_a_bound(labels):
    probs = np.array([[1.0, 0.0]] * 3, np.float32)
    temperature = fit_temperature(probs, np.array(labels))
    assert 0.02 <= temperature <= 50
    assert np.isfinite(with_temperature(probs, temperature)).all()
