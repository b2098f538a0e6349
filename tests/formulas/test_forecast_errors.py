"""Errors of forecasts, against scikit-learn, scipy and hand arithmetic."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

from amlnn.errors import DataError
from amlnn.formulas.forecast_errors import (
    coverage,
    crps_from_quantiles,
    error_by_step,
    gaussian_crps,
    interval_width,
    mae,
    mase,
    mse,
    pinball,
    seasonal_naive_error,
    smape,
)

RANDOM = np.random.default_rng(0)
SHAPE = (7, 5, 3)
TARGET, FORECAST = RANDOM.normal(5, 2, SHAPE), RANDOM.normal(5, 2, SHAPE)
SPREAD = RANDOM.uniform(0.5, 2, SHAPE)
OBSERVED = RANDOM.random(SHAPE) < 0.7
LEVELS = (0.1, 0.5, 0.9)
QUANTILES = np.sort(RANDOM.normal(5, 2, (*SHAPE, 3)), axis=-1)
NAIVE = np.array([1.0, 2.0, 4.0])

ALL = {
    'mse': lambda y, f, o: mse(y, f, o),
    'mae': lambda y, f, o: mae(y, f, o),
    'mase': lambda y, f, o: mase(y, f, NAIVE, o),
    'smape': lambda y, f, o: smape(y, f, o),
    'pinball': lambda y, f, o: pinball(y, f[..., None] + QUANTILES, LEVELS, o),
    'crps_from_quantiles': lambda y, f, o: crps_from_quantiles(y, f[..., None] + QUANTILES, LEVELS,
                                                               o),
    'gaussian_crps': lambda y, f, o: gaussian_crps(y, f, SPREAD, o),
    'coverage': lambda y, f, o: coverage(y, f - 1, f + 1, o),
    'interval_width': lambda y, f, o: interval_width(f - SPREAD, f + SPREAD, o),
}


def both(values):
    """Values as scikit-learn takes them, all and only the observed ones."""
    return values.ravel(), values[OBSERVED]


@pytest.mark.parametrize(('own', 'reference'), [(mse, mean_squared_error),
                                                (mae, mean_absolute_error)])
def test_errors_agree_with_scikit_learn(own, reference):
    (target, seen), (forecast, seen_forecast) = both(TARGET), both(FORECAST)
    assert own(TARGET, FORECAST) == pytest.approx(reference(target, forecast))
    assert own(TARGET, FORECAST, OBSERVED) == pytest.approx(reference(seen, seen_forecast))


def test_the_pinball_loss_agrees_with_scikit_learn():
    expected = np.mean([mean_pinball_loss(TARGET.ravel(), QUANTILES[..., place].ravel(),
                                          alpha=level) for place, level in enumerate(LEVELS)])
    assert pinball(TARGET, QUANTILES, LEVELS) == pytest.approx(expected)
    assert crps_from_quantiles(TARGET, QUANTILES, LEVELS) == pytest.approx(2 * expected)


@pytest.mark.parametrize('name', ALL)
def test_what_is_not_observed_does_not_count_whatever_stands_there(name):
    expected = ALL[name](TARGET, FORECAST, OBSERVED)
    for junk in (1e9, np.nan, np.inf):
        assert ALL[name](np.where(OBSERVED, TARGET, junk), FORECAST, OBSERVED) == \
            pytest.approx(expected, rel=1e-12)
    assert expected != ALL[name](TARGET, FORECAST, None)
    assert ALL[name](TARGET, FORECAST, np.ones(SHAPE, dtype=bool)) == \
        ALL[name](TARGET, FORECAST, None)


@pytest.mark.parametrize('name', ALL)
def test_a_mean_over_nothing_is_nan_and_no_warning(name):
    assert np.isnan(ALL[name](TARGET, FORECAST, np.zeros(SHAPE, dtype=bool)))


@pytest.mark.parametrize('name', ALL)
def test_single_precision_is_summed_up_in_double(name):
    single = ALL[name](TARGET.astype(np.float32), FORECAST.astype(np.float32), None)
    assert isinstance(single, float)
    assert single == pytest.approx(ALL[name](TARGET, FORECAST, None), rel=1e-5)
    many = np.full((2000, 720, 2), 0.1, dtype=np.float32)
    assert mse(many, np.zeros_like(many)) == pytest.approx(np.float32(0.1) ** 2, rel=1e-6)


def test_mase_by_hand():
    # Column errors 1 and 3, naive errors 2 and 4: (1/2 + 3/4) / 2.
    target = np.array([[[0.0, 0.0]], [[0.0, 0.0]]])
    forecast = np.array([[[1.0, -2.0]], [[-1.0, 4.0]]])
    assert mase(target, forecast, np.array([2.0, 4.0])) == 0.625
    # Without the error of 4 the second column's is 2: (1/2 + 2/4) / 2.
    observed = np.array([[[True, True]], [[True, False]]])
    assert mase(target, forecast, np.array([2.0, 4.0]), observed) == 0.5
    # A column without any target has no say.
    observed[:, :, 1] = False
    assert mase(target, forecast, np.array([2.0, 4.0]), observed) == 0.5


def test_the_naive_error_by_hand_and_with_gaps():
    train = np.array([[1.0, 10.0], [4.0, 20.0], [2.0, np.nan], [8.0, 26.0], [3.0, 30.0]])
    assert seasonal_naive_error(train[:, :1], 1).tolist() == [(3 + 2 + 6 + 5) / 4]
    assert seasonal_naive_error(train, 2).tolist() == [(1 + 4 + 1) / 3, 6.0]
    with pytest.raises(DataError, match='column 0 has no two values 5 rows apart in 5') as caught:
        seasonal_naive_error(train, 5)
    assert caught.value.hint
    with pytest.raises(DataError, match='column 1'):
        seasonal_naive_error(np.array([[1.0, np.nan], [2.0, 1.0]]), 1)


def test_a_naive_error_of_zero_names_the_column():
    with pytest.raises(DataError, match='column 1') as caught:
        mase(TARGET, FORECAST, np.array([1.0, 0.0, 2.0]))
    assert caught.value.hint


def test_the_naive_forecast_of_its_own_training_rows_has_mase_one():
    train = RANDOM.normal(size=(40, 2))
    assert mase(train[None, 7:], train[None, :-7], seasonal_naive_error(train, 7)) == \
        pytest.approx(1)


def test_smape_by_hand_is_symmetric_and_at_most_200():
    target, forecast = np.array([[[100.0], [-4.0], [0.0]]]), np.array([[[150.0], [4.0], [0.0]]])
    assert smape(target, forecast) == pytest.approx((200 * 50 / 250 + 200 + 0) / 3)
    assert smape(TARGET, FORECAST) == pytest.approx(smape(FORECAST, TARGET))


@pytest.mark.parametrize(('target', 'mean', 'deviation'), [(0.3, 0, 1), (5, 1, 0.5), (-2, 3, 4)])
def test_the_gaussian_score_is_the_integral_that_defines_it(target, mean, deviation):
    below = quad(lambda x: norm.cdf(x, mean, deviation) ** 2, -60, target)[0]
    above = quad(lambda x: norm.sf(x, mean, deviation) ** 2, target, 60)[0]
    cell = [np.full((1, 1, 1), float(value)) for value in (target, mean, deviation)]
    assert gaussian_crps(*cell) == pytest.approx(below + above, rel=1e-6)


def test_many_quantiles_of_a_normal_forecast_have_the_gaussian_score():
    levels = (np.arange(400) + 0.5) / 400
    quantiles = norm.ppf(levels, FORECAST[..., None], SPREAD[..., None])
    assert crps_from_quantiles(TARGET, quantiles, levels) == \
        pytest.approx(gaussian_crps(TARGET, FORECAST, SPREAD), rel=1e-3)


def test_coverage_counts_the_ends_and_width_is_between_them():
    target = np.array([[[0.0], [1.0], [2.0], [2.1]]])
    low, high = np.zeros((1, 4, 1)), np.full((1, 4, 1), 2.0)
    assert coverage(target, low, high) == 0.75
    assert interval_width(low, high) == 2.0


def test_the_error_of_each_step_is_that_of_a_forecast_of_this_step_alone():
    for kind, whole in (('mse', mse), ('mae', mae)):
        for observed in (None, OBSERVED):
            steps = error_by_step(TARGET, FORECAST, observed, kind=kind)
            expected = [whole(TARGET[:, [step]], FORECAST[:, [step]],
                              None if observed is None else observed[:, [step]])
                        for step in range(SHAPE[1])]
            np.testing.assert_allclose(steps, expected)
    hidden = OBSERVED.copy()
    hidden[:, 2] = False
    assert np.flatnonzero(np.isnan(error_by_step(TARGET, FORECAST, hidden))).tolist() == [2]
    with pytest.raises(ValueError, match='rmse'):
        error_by_step(TARGET, FORECAST, kind='rmse')
