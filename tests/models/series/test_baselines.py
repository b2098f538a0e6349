"""Baselines: each by hand, ridge against scikit-learn, and the benchmark's known errors."""

import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from generated import ROOT
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.linear_model import Ridge as Reference

from amlnn.errors import ConfigError, DataError
from amlnn.formulas.gaps import fill_forward
from amlnn.formulas.training_rows import TrainingRows
from amlnn.models.series.baselines import (
    ARIMA,
    BASELINES,
    ETS,
    STATISTICAL,
    RepeatLast,
    Ridge,
    SameHourMean,
    SeasonalNaive,
    Theta,
    TrainMean,
    WindowMean,
)

ETTH1 = Path(os.environ.get('AMLNN_SHARED', ROOT / '../shared')) / 'data/ETTh1.csv'
RANDOM = np.random.default_rng(0)
TRAIN = np.cumsum(RANDOM.normal(size=(300, 2)), axis=0) * [1, 10]
INPUTS = RANDOM.normal(size=(6, 7, 2))


def forecast(baseline, horizon=5, season=3, inputs=INPUTS, train=TRAIN, observed=None):
    baseline.fit(TrainingRows.of_one(train), inputs.shape[1], horizon, season)
    found = baseline.predict(inputs, observed)
    assert found.shape == (len(inputs), horizon, train.shape[1])
    assert np.isfinite(found).all()
    return found


def test_the_train_mean_is_that_of_the_training_rows_without_gaps():
    assert np.allclose(forecast(TrainMean()), TRAIN.mean(axis=0))
    train = TRAIN.copy()
    train[::3, 1] = np.nan
    assert np.allclose(forecast(TrainMean(), train=train), np.nanmean(train, axis=0))


def test_repeat_last_and_window_mean():
    for step in range(5):
        assert np.array_equal(forecast(RepeatLast())[:, step], INPUTS[:, 6])
        assert np.allclose(forecast(WindowMean())[:, step], INPUTS.mean(axis=1))


def test_the_seasonal_naive_repeats_the_last_season_in_step():
    found = forecast(SeasonalNaive())  # rows 0 to 6, season 3: rows 4, 5, 6, 4, 5
    assert np.array_equal(found, INPUTS[:, [4, 5, 6, 4, 5]])


def test_the_same_hour_mean_takes_whole_seasons_from_the_end():
    found = forecast(SameHourMean())  # rows 1 to 6 are two seasons; row 0 is left over
    expected = (INPUTS[:, [1, 2, 3]] + INPUTS[:, [4, 5, 6]]) / 2
    assert np.allclose(found, expected[:, [0, 1, 2, 0, 1]])


def test_a_purely_seasonal_series_is_forecast_without_error():
    wave = np.sin(2 * np.pi * np.arange(400) / 12)[:, None] * [1, 3]
    windows = sliding_window_view(wave, 41, axis=0).swapaxes(1, 2)
    for baseline in (SeasonalNaive(), SameHourMean(), Ridge(alphas=(1e-9,))):
        found = forecast(baseline, 11, 12, windows[:, :30], wave)
        np.testing.assert_allclose(found, windows[:, 30:], atol=1e-5)


@pytest.mark.parametrize('baseline', [SeasonalNaive(), SameHourMean()])
def test_a_season_that_is_unknown_or_longer_than_the_look_back_is_refused(baseline):
    name = type(baseline).__name__
    with pytest.raises(DataError, match=f'{name} needs a season, and') as caught:
        baseline.fit(TrainingRows.of_one(TRAIN), 7, 5, None)
    assert 'season=24' in caught.value.hint
    with pytest.raises(DataError, match='8 rows, the look-back has 7') as caught:
        baseline.fit(TrainingRows.of_one(TRAIN), 7, 5, 8)
    assert 'look_back=8' in caught.value.hint
    baseline.fit(TrainingRows.of_one(TRAIN), 8, 5, 8)


@pytest.mark.parametrize('name', BASELINES)
def test_extra_columns_are_left_aside_and_missing_inputs_are_filled(name):
    expected = forecast(BASELINES[name]())
    wider = np.concatenate([INPUTS, np.full((6, 7, 1), 99.0)], axis=2)
    assert np.array_equal(forecast(BASELINES[name](), inputs=wider), expected)
    observed = np.ones(wider.shape, dtype=bool)
    observed[0, 3, 1] = observed[1, 0, 0] = False
    junk, filled = wider.copy(), INPUTS.copy()
    junk[~observed] = 1e6
    filled[0, 3, 1], filled[1, 0, 0] = filled[0, 2, 1], filled[1, 1, 0]
    assert np.allclose(forecast(BASELINES[name](), inputs=junk, observed=observed),
                       forecast(BASELINES[name](), inputs=filled))


@pytest.mark.parametrize('name', BASELINES)
def test_a_look_back_without_any_value_gives_a_forecast_all_the_same(name):
    observed = np.ones(INPUTS.shape, dtype=bool)
    observed[2, :, 1] = False
    found = forecast(BASELINES[name](), observed=observed)
    assert np.allclose(found[2, :, 1], TRAIN[:, 1].mean())


@pytest.mark.parametrize('name', BASELINES)
def test_a_batch_of_none_gives_none_and_the_input_stays_as_it_was(name):
    baseline = BASELINES[name]().fit(TrainingRows.of_one(TRAIN), 7, 5, 3)
    before = INPUTS.copy()
    baseline.predict(INPUTS)
    assert np.array_equal(before, INPUTS)
    assert baseline.predict(INPUTS[:0]).shape == (0, 5, 2)


def stacked(values, look_back, horizon):
    """Windows of all columns below each other, less their last input."""
    windows = sliding_window_view(values, look_back + horizon, axis=0).reshape(
        -1, look_back + horizon)
    windows = windows - windows[:, [look_back - 1]]
    return windows[:, :look_back], windows[:, look_back:]


@pytest.mark.parametrize('block', [7, 2048])
def test_ridge_is_that_of_scikit_learn_on_all_windows(monkeypatch, block):
    monkeypatch.setattr('amlnn.models.series.ridge._Moments.block', block)
    own = Ridge(alphas=(0.01,)).fit(TrainingRows.of_one(TRAIN), 7, 5, None)
    inputs, targets = stacked(TRAIN, 7, 5)
    alpha = 0.01 * np.trace(inputs.T @ inputs) / 7
    reference = Reference(alpha=alpha, fit_intercept=False).fit(inputs, targets)
    np.testing.assert_allclose(own.weights.T, reference.coef_, atol=1e-9)
    expected = reference.predict((INPUTS - INPUTS[:, -1:])[..., 1]) + INPUTS[:, -1, 1][:, None]
    np.testing.assert_allclose(own.predict(INPUTS)[..., 1], expected, atol=1e-9)


def test_the_penalty_is_the_one_with_the_least_error_on_the_validation_rows():
    alphas = (1e-4, 1e-2, 1.0, 100.0)
    train = RANDOM.normal(size=(60, 1))  # noise: the more is shrunk, the better
    validation = RANDOM.normal(size=(200, 1))
    inputs, targets = stacked(np.concatenate([train[-20:], validation]), 20, 5)
    errors = []
    for alpha in alphas:
        weights = Ridge(alphas=(alpha,)).fit(TrainingRows.of_one(train), 20, 5, None).weights
        errors.append(((inputs @ weights - targets) ** 2).mean())
    chosen = Ridge(alphas).fit(TrainingRows.of_one(train), 20, 5, None,
                               validation=TrainingRows.of_one(validation))
    assert chosen.alpha == alphas[int(np.argmin(errors))]
    assert Ridge(alphas).fit(TrainingRows.of_one(TRAIN), 7, 5, None).alpha in alphas
    # Too few rows to hold any back.
    assert Ridge(alphas).fit(TrainingRows.of_one(TRAIN[:12]), 7, 5, None).alpha in alphas


def test_ridge_leaves_out_windows_whose_targets_are_missing():
    train = TRAIN[:, :1].copy()
    train[100:140] = np.nan
    own = Ridge(alphas=(0.01,)).fit(TrainingRows.of_one(train), 7, 5, None)
    filled = fill_forward(train[None], ~np.isnan(train[None]))[0]
    inputs, targets = stacked(filled, 7, 5)
    whole = ~np.isnan(sliding_window_view(train[:, 0], 12)[:, 7:]).any(axis=1)
    alpha = 0.01 * np.trace(inputs[whole].T @ inputs[whole]) / 7
    reference = Reference(alpha=alpha, fit_intercept=False).fit(inputs[whole], targets[whole])
    np.testing.assert_allclose(own.weights.T, reference.coef_, atol=1e-9)


def test_ridge_on_a_constant_series_repeats_it_and_on_a_short_one_is_refused():
    found = forecast(Ridge(), train=np.ones((50, 2)), inputs=np.full((2, 7, 2), 4.0))
    assert np.array_equal(found, np.full((2, 5, 2), 4.0))
    with pytest.raises(DataError, match=r'11 training rows hold no window of 7 [+] 5') as caught:
        Ridge().fit(TrainingRows.of_one(TRAIN[:11]), 7, 5, None)
    assert caught.value.hint


@pytest.mark.parametrize('name', STATISTICAL)
def test_a_statistical_model_says_what_to_install(name, monkeypatch):
    monkeypatch.setitem(sys.modules, 'statsforecast', None)
    with pytest.raises(ConfigError, match=f'{name} needs the package statsforecast') as caught:
        STATISTICAL[name]().fit(TrainingRows.of_one(TRAIN), 7, 5, 3)
    assert caught.value.hint == 'pip install statsforecast'


@pytest.mark.parametrize(('baseline', 'name'), [(ETS(), 'AutoETS'), (Theta(), 'AutoTheta'),
                                                (ARIMA(), 'AutoARIMA')])
def test_a_statistical_model_is_fitted_to_every_window_and_column(monkeypatch, baseline, name):
    class Model:
        def __init__(self, season_length, approximation=False):
            assert not approximation
            self.season = season_length

        def forecast(self, y, h):
            return {'mean': y[-1] + self.season * np.arange(h)}

    fake = types.ModuleType('statsforecast')
    fake.models = types.SimpleNamespace(**{name: Model})
    monkeypatch.setitem(sys.modules, 'statsforecast', fake)
    inputs = INPUTS.copy()
    inputs[4, :, 0] = 2.5
    found = forecast(baseline, inputs=inputs)
    expected = inputs[:, -1:] + 3 * np.arange(5)[:, None]
    expected[4, :, 0] = 2.5  # nothing to fit
    assert np.allclose(found, expected)


@pytest.mark.parametrize(('rows', 'season', 'expected'), [(150, 12, False), (151, 12, True),
                                                          (20, 13, True)])
def test_arima_approximates_where_the_package_of_r_does(monkeypatch, rows, season, expected):
    class Model:
        def __init__(self, season_length, approximation):
            assert approximation == expected

        def forecast(self, y, h):
            return {'mean': np.zeros(h)}

    fake = types.ModuleType('statsforecast')
    fake.models = types.SimpleNamespace(AutoARIMA=Model)
    monkeypatch.setitem(sys.modules, 'statsforecast', fake)
    forecast(ARIMA(), season=season, inputs=RANDOM.normal(size=(1, rows, 2)))


def test_the_statistical_models_run_where_statsforecast_is_installed():
    pytest.importorskip('statsforecast')
    wave = 5 + np.sin(2 * np.pi * np.arange(72) / 12)[:, None]
    windows = wave[None, :60]
    for make in STATISTICAL.values():
        found = forecast(make(), 12, 12, windows, wave)
        assert np.abs(found[0] - wave[60:72]).max() < 0.2


# The benchmark, where it is at hand.


def benchmark(horizon):
    """Scaled training and validation rows of ETTh1, inputs and targets of all test windows."""
    values = np.loadtxt(ETTH1, delimiter=',', skiprows=1, usecols=range(1, 8), max_rows=14400)
    scaled = (values - values[:8640].mean(axis=0)) / values[:8640].std(axis=0)
    windows = sliding_window_view(scaled[11520 - 336:], 336 + horizon, axis=0).swapaxes(1, 2)
    return scaled[:8640], scaled[8640:11520], windows[:, :336], windows[:, 336:]


@pytest.mark.slow
@pytest.mark.skipif(not ETTH1.is_file(), reason='ETTh1.csv is not at hand')
@pytest.mark.parametrize(('horizon', 'windows', 'repeated', 'linear'), [
    (96, 2785, 1.294, 0.372), (192, 2689, 1.325, 0.406), (336, 2545, 1.330, 0.429),
    (720, 2161, 1.335, 0.429)])
def test_etth1_has_the_known_errors_of_repeating_and_of_ridge(horizon, windows, repeated, linear):
    train, validation, inputs, targets = benchmark(horizon)
    assert len(inputs) == windows
    found = RepeatLast().fit(TrainingRows.of_one(train), 336, horizon, 24).predict(inputs)
    assert ((found - targets) ** 2).mean() == pytest.approx(repeated, abs=5e-4)
    ridge = Ridge().fit(TrainingRows.of_one(train), Ridge.look_back, horizon, 24,
                        validation=TrainingRows.of_one(validation))
    found = ridge.predict(inputs)
    assert ((found - targets) ** 2).mean() == pytest.approx(linear, rel=0.025)
