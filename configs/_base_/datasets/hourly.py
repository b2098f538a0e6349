"""A generated hourly load with daily and weekly cycle: a week back, a day ahead."""
_base_ = 'series_windows.py'
train_dataloader = dict(
    dataset=dict(
        source=dict(type='GeneratedSeries', preset='hourly'),
        look_back=168,
        horizon=24))
