"""Study B's series, 365 generated days: 14 look back, 1 is forecast."""
_base_ = 'series_windows.py'
train_dataloader = dict(
    dataset=dict(
        source=dict(type='GeneratedSeries', preset='study_b', append=1),
        look_back=14,
        horizon=1))
