import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from sklearn.metrics import mean_pinball_loss

from amlnn.config.located import OPTIONS, located
from amlnn.config.monitors import produced
from amlnn.config.signatures import library
from amlnn.errors import ConfigError
from amlnn.metrics.forecasting import ForecastError, QuantileError
from amlnn.models.series.forecast_heads import Forecast

N, P, C = 7, 3, 2
LEVELS = (0.1, 0.5, 0.9)
MEAN, DEVIATION = np.array([5.0, -3.0]), np.array([2.0, 0.5])
META = {'columns': ['a', 'b'], 'naive_error': [0.4, 0.8],
        'scaler': {'mean': [*MEAN, 9.0], 'deviation': [*DEVIATION, 9.0]}}


@pytest.fixture
def values():
    random = np.random.default_rng(0)
    target, point = (random.normal(size=(N, P, C)).astype(np.float32) for _ in range(2))
    quantiles = np.sort(random.normal(size=(N, P, C, 3)), axis=-1).astype(np.float32)
    return target, point, quantiles, random.random((N, P, C)) > 0.3


def evaluated(metric, values, masked: bool) -> dict[str, float]:
    """The metric over three batches of unequal size."""
    target, point, quantiles, observed = values
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = META
    for part in (slice(0, 3), slice(3, 6), slice(6, 7)):
        batch = {'targets': torch.from_numpy(target[part])}
        if masked:
            batch['target_observed'] = torch.from_numpy(observed[part])
        forecast = Forecast(torch.from_numpy(point[part]), torch.from_numpy(quantiles[part]),
                            LEVELS)
        evaluator.process(data_samples=[forecast], data_batch=batch)
    return evaluator.evaluate(N)


@pytest.mark.parametrize('masked', [False, True])
def test_errors_of_batches_are_those_of_everything_at_once(values, masked):
    target, point, _, observed = values
    found = evaluated(ForecastError(items=ForecastError.known), values, masked)
    kept = observed if masked else np.ones_like(observed)
    error = (point.astype(float) - target)[kept]
    y, f = ((each.astype(float) * DEVIATION + MEAN)[kept] for each in (target, point))
    columns = [np.abs(target - point)[..., place][kept[..., place]].mean() for place in range(C)]
    expected = {
        'forecast/mse': np.mean(error ** 2), 'forecast/mae': np.mean(abs(error)),
        'forecast/mse_original': np.mean((f - y) ** 2),
        'forecast/mae_original': np.mean(abs(f - y)),
        'forecast/smape': np.mean(200 * abs(f - y) / (abs(f) + abs(y))),
        'forecast/mase': np.mean(np.array(columns) / META['naive_error'])}
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('masked', [False, True])
def test_quantile_errors_of_batches_are_those_of_everything_at_once(values, masked):
    target, _, quantiles, observed = values
    kept = observed if masked else np.ones_like(observed)
    found = evaluated(QuantileError(level=0.8), values, masked)
    y, low, high = target[kept], quantiles[kept][:, 0], quantiles[kept][:, 2]
    expected = {
        'quantile/crps': 2 * np.mean([
            mean_pinball_loss(y, quantiles[kept][:, place], alpha=level)
            for place, level in enumerate(LEVELS)]),
        'quantile/coverage': np.mean((low <= y) & (y <= high)),
        'quantile/width': np.mean(high - low)}
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(('metric', 'word'), [
    (lambda: ForecastError(items=('mse', 'rmse')), 'rmse'),
    (lambda: ForecastError(items='mse'), 'mse'), (lambda: ForecastError(items=()), 'items'),
    (lambda: QuantileError(level=80), '80')])
def test_what_a_metric_does_not_know_is_said(metric, word):
    with pytest.raises(ConfigError, match=word) as caught:
        metric()
    assert caught.value.hint


def test_an_interval_that_the_head_does_not_forecast_is_said(values):
    with pytest.raises(ConfigError, match=r'0\.05'):
        evaluated(QuantileError(level=0.9), values, False)
    point_alone = Evaluator([QuantileError()])
    with pytest.raises(ConfigError, match='point alone'):
        point_alone.process(data_samples=[Forecast(torch.zeros(1, 1, 1))],
                            data_batch={'targets': torch.zeros(1, 1, 1)})


@pytest.mark.parametrize('name', ['ForecastError', 'QuantileError'])
def test_the_config_checker_knows_what_a_metric_reports(values, name):
    metric = {'ForecastError': ForecastError, 'QuantileError': QuantileError}[name]()
    known = produced(located({'val_evaluator': {'type': name}}, OPTIONS), library())
    assert known == [*evaluated(metric, values, False), 'val_loss']
