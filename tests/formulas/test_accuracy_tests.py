"""Whether a difference of forecast errors is more than chance."""

import numpy as np
import pytest
from scipy.stats import norm

from amlnn.formulas.accuracy_tests import block_interval, diebold_mariano


def overlapping(generator, windows, steps, shift=0.0):
    """Losses of windows that share their targets, as those of forecasts do."""
    noise = generator.normal(size=windows + steps - 1)
    return np.convolve(noise, np.ones(steps) / steps, 'valid') + shift


def test_the_statistic_is_that_of_its_definition():
    generator = np.random.default_rng(0)
    first, second, steps = generator.random(50), generator.random(50), 4
    difference = first - second
    mean, count = difference.mean(), 50
    variance = 0.0
    for lag in range(-steps + 1, steps):  # Newey and West 1987, equation 5
        gamma = sum((difference[t] - mean) * (difference[t - abs(lag)] - mean)
                    for t in range(abs(lag), count)) / count
        variance += (1 - abs(lag) / steps) * gamma
    plain = mean / np.sqrt(variance / count)
    expected = plain * np.sqrt((count + 1 - 2 * steps + steps * (steps - 1) / count) / count)
    test = diebold_mariano(first, second, steps)
    assert test.statistic == pytest.approx(expected)
    assert test.p == pytest.approx(2 * norm.sf(abs(expected)))
    assert test.difference == pytest.approx(mean)
    other = diebold_mariano(second, first, steps)
    assert (other.difference, other.statistic) == pytest.approx((-mean, -expected))


def test_equally_good_forecasts_are_seldom_told_apart_though_their_windows_overlap():
    generator = np.random.default_rng(1)
    steps, found, naive, held = 24, 0, 0, 0
    for _ in range(300):
        first, second = (overlapping(generator, 1000, steps) for _ in range(2))
        found += diebold_mariano(first, second, steps).p < 0.05
        naive += diebold_mariano(first, second, 1).p < 0.05
        low, high = block_interval(first, second, steps, draws=400)
        held += low <= 0 <= high
    assert found / 300 < 0.13 and naive / 300 > 0.5
    assert held / 300 > 0.87


def test_a_difference_is_found():
    generator = np.random.default_rng(2)
    first = overlapping(generator, 3000, 24)
    second = first + 0.1 + 0.05 * overlapping(generator, 3000, 24)
    test = diebold_mariano(first, second, 24)
    assert test.difference < 0 and test.p < 1e-6
    low, high = block_interval(first, second, 24)
    assert low < test.difference < high < 0


def test_few_windows_say_nothing():
    assert np.isnan(diebold_mariano(np.array([1.0, 2.0, 4.0]), np.zeros(3), 3).p)
