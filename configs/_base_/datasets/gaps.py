"""A generated hourly series with everything: shifts, outliers, missing values.

Its evaluators want a head that gives quantiles.

What the validation and the test part do not set is as in the training part.
"""
train_dataloader = dict(
    batch_size=32,
    shuffle=True,
    dataset=dict(
        type='SeriesWindows',
        source=dict(type='GeneratedSeries', preset='all_parts'),
        look_back=168,
        horizon=24,
        split='train'))
val_dataloader = dict(batch_size=256, dataset=dict(type='SeriesWindows', split='val'))
test_dataloader = dict(batch_size=256, dataset=dict(type='SeriesWindows', split='test'))
val_evaluator = [dict(type='ForecastError'), dict(type='QuantileError', level=0.8)]
test_evaluator = [
    dict(
        type='ForecastError',
        items=('mse', 'mae', 'mse_original', 'mae_original', 'mase', 'smape')),
    dict(type='QuantileError', level=0.8),
]
