"""Errors of point forecasts, against scikit-learn and hand arithmetic; of arrays and of tensors."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error

from amlnn.errors import DataError
from amlnn.formulas.forecast_errors import (
    error_by_step,
    error_by_window,
    error_sums,
    mean_errors,
    mse,
    observed_mean,
    relative_errors,
    scaled_error,
    seasonal_naive_error,
    symmetric_error,
)

RANDOM = np.random.default_rng(0)
SHAPE = (7, 5, 3)
TARGET, FORECAST = RANDOM.normal(5, 2, SHAPE), RANDOM.normal(5, 2, SHAPE)
OBSERVED = RANDOM.random(SHAPE) < 0.7
DEVIATION = np.array([1.0, 2.0, 0.5])


def both(values):
    """Values as scikit-learn takes them, all and only the observed ones."""
    return values.ravel(), values[OBSERVED]


def test_the_squared_error_agrees_with_scikit_learn():
    (target, seen), (forecast, seen_forecast) = both(TARGET), both(FORECAST)
    assert mse(TARGET, FORECAST) == pytest.approx(mean_squared_error(target, forecast))
    assert mse(TARGET, FORECAST, OBSERVED) == \
        pytest.approx(mean_squared_error(seen, seen_forecast))


@pytest.mark.parametrize('observed', [None, OBSERVED], ids=['all', 'some'])
@pytest.mark.parametrize('kind', ['arrays', 'tensors'])
def test_means_of_sums_agree_with_scikit_learn(observed, kind):
    kept = np.ones(SHAPE, bool) if observed is None else observed
    given = [FORECAST - TARGET, observed, kept.sum(axis=(0, 1)).astype(float), DEVIATION]
    if kind == 'tensors':
        given = [None if each is None else torch.from_numpy(each) for each in given]
    error, observed, count, deviation = given
    sums = error_sums(error, observed, xp=torch if kind == 'tensors' else np)
    scale = np.broadcast_to(DEVIATION, SHAPE)[kept]
    scaled, original = (TARGET[kept], FORECAST[kept]), (TARGET[kept] * scale,
                                                        FORECAST[kept] * scale)
    assert mean_errors(*sums, count, deviation) == pytest.approx({
        'mse': mean_squared_error(*scaled), 'mae': mean_absolute_error(*scaled),
        'mse_original': mean_squared_error(*original),
        'mae_original': mean_absolute_error(*original)})


def test_sums_over_windows_alone_keep_the_steps():
    squared, absolute = error_sums(FORECAST - TARGET, OBSERVED, axis=0)
    kept = np.where(OBSERVED, FORECAST - TARGET, 0)
    assert squared.shape == absolute.shape == SHAPE[1:]
    np.testing.assert_allclose(squared, (kept ** 2).sum(axis=0))
    np.testing.assert_allclose(absolute, abs(kept).sum(axis=0))


def test_sums_over_nothing_are_errors_of_nothing():
    sums = error_sums(FORECAST - TARGET, np.zeros(SHAPE, bool))
    assert set(mean_errors(*sums, np.zeros(3), DEVIATION).values()) == {0.0}


WHOLE = {'mse': mse, 'error_by_step': error_by_step, 'error_by_window': error_by_window,
         'error_sums': lambda target, forecast, observed:
             np.stack(error_sums(forecast - target, observed))}


@pytest.mark.parametrize('name', WHOLE)
def test_what_is_not_observed_does_not_count_whatever_stands_there(name):
    expected = WHOLE[name](TARGET, FORECAST, OBSERVED)
    for junk in (1e9, np.nan, np.inf):
        found = WHOLE[name](np.where(OBSERVED, TARGET, junk), FORECAST, OBSERVED)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not np.allclose(expected, WHOLE[name](TARGET, FORECAST, None))
    np.testing.assert_array_equal(WHOLE[name](TARGET, FORECAST, np.ones(SHAPE, dtype=bool)),
                                  WHOLE[name](TARGET, FORECAST, None))


def test_a_mean_over_nothing_is_nan_and_no_warning():
    nothing = np.zeros(SHAPE, dtype=bool)
    assert np.isnan(mse(TARGET, FORECAST, nothing))
    assert np.isnan(error_by_window(TARGET, FORECAST, nothing)).all()
    hidden = OBSERVED.copy()
    hidden[:, 2] = False
    assert np.flatnonzero(np.isnan(error_by_step(TARGET, FORECAST, hidden))).tolist() == [2]


def test_single_precision_is_summed_up_in_double():
    single = mse(TARGET.astype(np.float32), FORECAST.astype(np.float32))
    assert isinstance(single, float) and single == pytest.approx(mse(TARGET, FORECAST), rel=1e-5)
    many = np.full((2000, 720, 2), 0.1, dtype=np.float32)
    assert mse(many, np.zeros_like(many)) == pytest.approx(np.float32(0.1) ** 2, rel=1e-6)
    assert observed_mean(many).dtype == np.float64


@pytest.mark.parametrize('observed', [None, OBSERVED], ids=['all', 'some'])
def test_the_error_of_each_step_and_window_is_that_of_it_alone(observed):
    for axis, found in ((1, error_by_step(TARGET, FORECAST, observed)),
                        (0, error_by_window(TARGET, FORECAST, observed))):
        expected = [mse(*(each if each is None else each.take([place], axis=axis)
                          for each in (TARGET, FORECAST, observed)))
                    for place in range(SHAPE[axis])]
        np.testing.assert_allclose(found, expected)


def test_the_scaled_error_by_hand():
    # Column errors 1 and 3, naive errors 2 and 4: (1/2 + 3/4) / 2.
    given = np.array([2.0, 6.0]), np.array([2.0, 2.0]), np.array([2.0, 4.0])
    assert scaled_error(*given) == 0.625
    assert scaled_error(*map(torch.from_numpy, given)) == 0.625
    # A column without any target errs by nothing.
    assert scaled_error(np.array([2.0, 0.0]), np.array([2.0, 0.0]), given[2]) == 0.25


def test_the_naive_forecast_of_its_own_training_rows_has_a_scaled_error_of_one():
    train = RANDOM.normal(size=(40, 2))
    _, absolute = error_sums((train[7:] - train[:-7])[None])
    assert scaled_error(absolute, np.full(2, 33.0), seasonal_naive_error(train, 7)) == \
        pytest.approx(1)


def test_the_naive_error_by_hand_and_with_gaps():
    train = np.array([[1.0, 10.0], [4.0, 20.0], [2.0, np.nan], [8.0, 26.0], [3.0, 30.0]])
    assert seasonal_naive_error(train[:, :1], 1).tolist() == [(3 + 2 + 6 + 5) / 4]
    assert seasonal_naive_error(train, 2).tolist() == [(1 + 4 + 1) / 3, 6.0]
    with pytest.raises(DataError, match='column 0 has no two values 5 rows apart in 5') as caught:
        seasonal_naive_error(train, 5)
    assert caught.value.hint
    with pytest.raises(DataError, match='column 1'):
        seasonal_naive_error(np.array([[1.0, np.nan], [2.0, 1.0]]), 1)


@pytest.mark.parametrize('kind', [np.array, torch.tensor], ids=['arrays', 'tensors'])
def test_the_symmetric_error_by_hand_is_symmetric_and_at_most_200(kind):
    xp = np if kind is np.array else torch
    target, forecast = kind([100.0, -4.0, 0.0]), kind([150.0, 4.0, 0.0])
    relative = relative_errors(abs(forecast - target), target, forecast, xp)
    assert relative.tolist() == pytest.approx([50 / 250, 1, 0])
    assert relative.tolist() == relative_errors(abs(forecast - target), forecast, target,
                                                xp).tolist()
    assert symmetric_error(relative, kind([1.0, 1.0, 1.0])) == pytest.approx(
        (200 * 50 / 250 + 200 + 0) / 3)
