"""Quantiles and intervals, against scikit-learn, scipy and hand arithmetic."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.metrics import mean_pinball_loss

from amlnn.formulas.quantiles import (
    central_levels,
    central_places,
    coverage,
    inside,
    interval_width,
    pinball_losses,
    place_of_level,
    quantile_scores,
)

RANDOM = np.random.default_rng(0)
SHAPE = (7, 5, 3)
TARGET = RANDOM.normal(5, 2, SHAPE)
LEVELS = np.array([0.1, 0.5, 0.9])
QUANTILES = np.sort(RANDOM.normal(5, 2, (*SHAPE, 3)), axis=-1)
OBSERVED = RANDOM.random(SHAPE) < 0.7


def test_the_pinball_losses_agree_with_scikit_learn():
    error = TARGET[..., None] - QUANTILES
    expected = [mean_pinball_loss(TARGET.ravel(), QUANTILES[..., place].ravel(), alpha=level)
                for place, level in enumerate(LEVELS)]
    np.testing.assert_allclose(pinball_losses(error, LEVELS).mean(axis=(0, 1, 2)), expected)
    assert quantile_scores(error, LEVELS).mean() == pytest.approx(2 * np.mean(expected))


def test_tensors_have_the_losses_of_arrays_and_gradients():
    error = TARGET[..., None] - QUANTILES
    given = torch.from_numpy(error).requires_grad_()
    losses = pinball_losses(given, torch.from_numpy(LEVELS), torch)
    assert torch.equal(losses.detach(), torch.from_numpy(pinball_losses(error, LEVELS)))
    losses.sum().backward()
    slope = np.where(error > 0, LEVELS, LEVELS - 1)
    np.testing.assert_allclose(given.grad.numpy(), slope)


@pytest.mark.parametrize(('target', 'mean', 'deviation'), [(0.3, 0, 1), (5, 1, 0.5), (-2, 3, 4)])
def test_many_quantiles_have_the_integral_that_defines_the_score(target, mean, deviation):
    below = quad(lambda x: norm.cdf(x, mean, deviation) ** 2, -60, target)[0]
    above = quad(lambda x: norm.sf(x, mean, deviation) ** 2, target, 60)[0]
    levels = (np.arange(4000) + 0.5) / 4000
    found = quantile_scores(target - norm.ppf(levels, mean, deviation), levels)
    assert found == pytest.approx(below + above, rel=1e-3)


def test_coverage_counts_the_ends_and_width_is_between_them():
    target = np.array([[[0.0], [1.0], [2.0], [2.1]]])
    low, high = np.zeros((1, 4, 1)), np.full((1, 4, 1), 2.0)
    assert coverage(target, low, high) == 0.75
    assert interval_width(low, high) == 2.0
    assert inside(*map(torch.from_numpy, (target, low, high))).flatten().tolist() == \
        [True, True, True, False]


def test_what_is_not_observed_does_not_count():
    low, high = QUANTILES[..., 0], QUANTILES[..., 2]
    kept = [each[OBSERVED] for each in (TARGET, low, high)]
    for junk in (1e9, np.nan):
        assert coverage(np.where(OBSERVED, TARGET, junk), low, high, OBSERVED) == pytest.approx(
            np.mean((kept[1] <= kept[0]) & (kept[0] <= kept[2])))
    assert interval_width(low, high, OBSERVED) == pytest.approx(np.mean(kept[2] - kept[1]))
    assert np.isnan(coverage(TARGET, low, high, np.zeros(SHAPE, bool)))


@pytest.mark.parametrize(('levels', 'level', 'places'), [
    ((0.1, 0.5, 0.9), 0.8, (0, 2)), ((0.025, 0.1, 0.9, 0.975), 0.95, (0, 3)),
    ((np.float32(0.1).item(), 0.9), 0.8, (0, 1)),  # as a file of single precision has it
    ((0.1, 0.5), 0.8, None), ((0.5, 0.9), 0.8, None), ((), 0.8, None), (None, 0.8, None)])
def test_the_ends_of_a_central_interval_are_found_where_both_are_there(levels, level, places):
    assert central_places(levels, level) == places
    low, high = central_levels(level)
    assert high - low == pytest.approx(level) and low + high == pytest.approx(1)
    if places:
        assert place_of_level(levels, high) == places[1]
