"""Scaled errors against the library that the field's tables are made with."""

import numpy as np
import pytest

from amlnn.formulas.forecast_errors import scaled_error, seasonal_naive_error
from amlnn.formulas.quantiles import scaled_quantile_loss

losses = pytest.importorskip('utilsforecast.losses')
pandas = pytest.importorskip('pandas')


@pytest.fixture
def forecasts():
    """Train rows, and windows of two columns with forecasts of three quantiles."""
    generator = np.random.default_rng(0)
    train = generator.normal(size=(200, 2)).cumsum(axis=0)
    target = generator.normal(size=(5, 6, 2))
    quantiles = np.sort(generator.normal(size=(5, 6, 2, 3)), axis=-1)
    return train, target, quantiles


def frames(train, target, **given):
    """As utilsforecast has them: a series a column, all its windows one below the other."""
    columns = range(target.shape[2])
    train = pandas.concat([pandas.DataFrame(dict(
        unique_id=column, ds=np.arange(len(train)), y=train[:, column])) for column in columns])
    tested = pandas.concat([pandas.DataFrame(dict(
        unique_id=column, ds=1000 + np.arange(target[:, :, column].size),
        y=target[:, :, column].ravel(),
        **{name: values[:, :, column].ravel() for name, values in given.items()}))
        for column in columns])
    return tested, train


def test_the_mean_absolute_scaled_error_is_theirs(forecasts):
    train, target, quantiles = forecasts
    tested, rows = frames(train, target, model=quantiles[..., 1])
    theirs = losses.mase(tested, ['model'], 24, rows)['model'].mean()
    absolute = np.abs(target - quantiles[..., 1]).sum(axis=(0, 1))
    ours = scaled_error(absolute, np.full(2, 30.0), seasonal_naive_error(train, 24))
    assert ours == pytest.approx(theirs)


def test_the_scaled_quantile_loss_is_theirs_twice(forecasts):
    train, target, quantiles = forecasts
    levels = (0.1, 0.5, 0.9)
    theirs = []
    for place, level in enumerate(levels):
        tested, rows = frames(train, target, model=quantiles[..., place])
        theirs.append(losses.scaled_quantile_loss(tested, {'model': 'model'}, 24, rows,
                                                  q=level)['model'].mean())
    ours = scaled_quantile_loss(target, quantiles, levels, seasonal_naive_error(train, 24))
    assert ours == pytest.approx(2 * np.mean(theirs))
