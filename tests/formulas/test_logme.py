"""LogME is the greatest log density of the labels under the Bayesian linear model."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from amlnn.formulas.logme import logme
from amlnn.formulas.ridge import Ridge


def greatest_evidence(x: np.ndarray, y: np.ndarray) -> float:
    """By a search over alpha and beta of the density of N(0, I / beta + XX' / alpha)."""
    def minus(logs):
        alpha, beta = np.exp(logs)
        covariance = np.eye(len(y)) / beta + x @ x.T / alpha
        return -multivariate_normal(np.zeros(len(y)), covariance).logpdf(y) / len(y)

    return -min(minimize(minus, start, method='Nelder-Mead',
                         bounds=[(-6, 20), (-6, 9)],
                         options=dict(xatol=1e-8, fatol=1e-12, maxiter=4000)).fun
                for start in ([0, 0], [2, 2], [4, 0]))


@pytest.mark.parametrize('sizes', [(60, 8), (30, 45)])
def test_it_is_the_maximum_over_both_precisions(sizes):
    random = np.random.default_rng(0)
    x = random.normal(size=sizes)
    y = np.stack([x[:, 0] + 0.5 * random.normal(size=sizes[0]), random.normal(size=sizes[0])], 1)
    left, singular, _ = np.linalg.svd(x, full_matrices=False)
    products, squares = singular[:, None] * (left.T @ y), (y ** 2).sum(0)
    found = [logme(singular ** 2, products[:, [place]], squares[[place]], sizes[0])
             for place in range(2)]
    for place in range(2):
        assert found[place] == pytest.approx(greatest_evidence(x, y[:, place]), abs=1e-4)
    assert found[0] > found[1]
    assert logme(singular ** 2, products, squares, sizes[0]) == pytest.approx(np.mean(found))


def test_of_centred_features_it_is_that_of_one_image_less():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 20)), random.normal(size=(12, 1))
    apart = np.linalg.svd(np.ones((1, 12)))[2][1:]  # across the mean
    ridge = Ridge(x, y)
    found = logme(ridge.eigenvalues, ridge.products, ((y - y.mean(0)) ** 2).sum(0), 11)
    assert found == pytest.approx(greatest_evidence(apart @ x, apart @ y[:, 0]), abs=1e-4)


def test_features_that_tell_nothing_have_the_evidence_of_the_labels_own_spread():
    y = np.random.default_rng(0).normal(size=(12, 1))
    none = logme(np.zeros(0), np.zeros((0, 1)), (y ** 2).sum(0), 12)
    assert none == pytest.approx(multivariate_normal(
        np.zeros(12), np.mean(y ** 2) * np.eye(12)).logpdf(y[:, 0]) / 12, abs=1e-6)
    assert none == pytest.approx(greatest_evidence(np.zeros((12, 3)), y[:, 0]), abs=1e-4)
