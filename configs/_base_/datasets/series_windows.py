"""What the windows of all series share: their loaders, and the errors that are reported.

What the validation and the test part do not set is as in the training part. A child names the
source, look_back and horizon; of a CSV file step, zone, delimiter and decimals are found, and
gaps='mask' or missing='mask' of the source lets rows or values be missing.
"""
train_dataloader = dict(
    batch_size=32, shuffle=True, dataset=dict(type='SeriesWindows', split='train'))
val_dataloader = dict(batch_size=256, dataset=dict(type='SeriesWindows', split='val'))
test_dataloader = dict(batch_size=256, dataset=dict(type='SeriesWindows', split='test'))
val_evaluator = dict(type='ForecastError')
test_evaluator = dict(
    type='ForecastError', items=('mse', 'mae', 'mse_original', 'mae_original', 'mase', 'smape'))
