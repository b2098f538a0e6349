import math

import numpy as np
import pytest

from amlnn.formulas.rate_range import RateRange, RunningMean, rising_rates


def test_rates_rise_by_the_same_factor_from_the_first_to_the_last():
    rates = rising_rates(1e-6, 10.0, 71)
    assert rates[0] == pytest.approx(1e-6) and rates[-1] == pytest.approx(10.0)
    assert np.diff(np.log10(rates)) == pytest.approx(np.full(70, 0.1))


def test_the_running_mean_is_a_weighted_mean_of_all_that_came():
    values = np.random.default_rng(0).normal(size=30)
    mean = RunningMean(steps=100)
    for count in range(1, 31):
        weights = mean.weight ** np.arange(count)[::-1]
        assert mean.add(values[count - 1]) == pytest.approx(
            np.average(values[:count], weights=weights))


def test_a_longer_ramp_looks_back_over_more_steps():
    # The mean age of a weight is weight / (1 - weight) steps: a 25th of the ramp.
    for steps in (50, 100, 1000):
        weight = RunningMean(steps).weight
        assert weight / (1 - weight) == pytest.approx(steps / 25)


def falling(steps=400, middle=1e-3):
    """A loss that falls as a logistic curve of log10(rate), fastest at the rate `middle`."""
    rates = rising_rates(1e-6, 1.0, steps)
    return RateRange(rates.tolist(), (2 - 1 / (1 + (middle / rates))).tolist(), steps)


def test_the_steepest_rate_is_where_the_loss_falls_fastest_but_for_the_lag_of_the_mean():
    curve = falling()
    # The mean looks back over a 25th of six decades: a quarter of one.
    assert math.log10(curve.steepest / 1e-3) == pytest.approx(0.24, abs=0.1)
    assert falling(middle=1e-2).steepest == pytest.approx(10 * curve.steepest, rel=0.1)


def test_the_least_loss_is_told_and_a_tenth_of_its_rate():
    rates = rising_rates(1e-4, 1.0, 200)
    curve = RateRange(rates.tolist(), ((np.log10(rates) + 2) ** 2).tolist(), 200)
    assert math.log10(curve.least / 1e-2) == pytest.approx(0.16, abs=0.1)
    assert curve.tenth_of_least == pytest.approx(curve.least / 10)


def test_a_loss_that_never_falls_suggests_nothing():
    rates = rising_rates(1e-4, 1.0, 50)
    curve = RateRange(rates.tolist(), np.linspace(1, 2, 50).tolist(), 50)
    assert curve.steepest is None and curve.least is None and curve.tenth_of_least is None


@pytest.mark.parametrize('count', [0, 1, 2])
def test_a_curve_of_hardly_any_steps_suggests_nothing(count):
    curve = RateRange([0.1, 0.2][:count], [2.0, 1.0][:count], 50)
    assert curve.steepest is None and curve.diverged
