"""Weights of forecasts against a general solver."""

import numpy as np
import pytest
from scipy.optimize import minimize

from amlnn.formulas.combination import MOST_MEMBERS, blend_weights


def reference(products):
    count = len(products)
    found = minimize(
        lambda w: w @ products @ w, np.full(count, 1 / count), jac=lambda w: 2 * products @ w,
        bounds=[(0, 1)] * count, constraints=dict(type='eq', fun=lambda w: w.sum() - 1,
                                                  jac=lambda w: np.ones(count)),
        options=dict(ftol=1e-14, maxiter=500))
    return found.x


@pytest.mark.parametrize('seed', range(12))
def test_weights_are_those_of_a_general_solver(seed):
    rng = np.random.default_rng(seed)
    count = 2 + seed % 5
    shared = rng.normal(size=200)
    errors = [rng.uniform(0.5, 2) * rng.normal(size=200) + rng.uniform(0, 2) * shared
              for _ in range(count)]
    products = np.array(errors) @ np.array(errors).T / 200
    own, other = blend_weights(products), reference(products)
    assert own.min() >= 0 and own.sum() == pytest.approx(1)
    assert own @ products @ own <= other @ products @ other + 1e-9
    assert np.allclose(own, other, atol=1e-3)


def test_equal_forecasts_and_forecasts_without_error_are_no_trouble():
    assert blend_weights(np.ones((3, 3))).tolist() == [1, 0, 0]
    assert blend_weights(np.zeros((2, 2))).tolist() == [1, 0]
    assert blend_weights(np.array([[4.0, 0.0], [0.0, 0.0]])).tolist() == [0, 1]
    assert blend_weights(np.array([[2.0]])).tolist() == [1]


@pytest.mark.parametrize('count', [0, MOST_MEMBERS + 1])
def test_none_and_too_many_are_refused(count):
    with pytest.raises(ValueError, match='forecasts to put together'):
        blend_weights(np.eye(count))
