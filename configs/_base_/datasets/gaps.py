"""A generated hourly series with everything: shifts, outliers, missing values.

Its evaluators want a head that gives quantiles.
"""
_base_ = 'series_windows.py'
train_dataloader = dict(
    dataset=dict(
        source=dict(type='GeneratedSeries', preset='all_parts'),
        look_back=168,
        horizon=24))
val_evaluator = [dict(type='ForecastError'), dict(type='QuantileError', level=0.8)]
test_evaluator = [
    dict(
        type='ForecastError',
        items=('mse', 'mae', 'mse_original', 'mae_original', 'mase', 'smape')),
    dict(type='QuantileError', level=0.8),
]
