"""Study C's series, 1,000 generated points: 30 look back, 1 is forecast."""
_base_ = 'series_windows.py'
train_dataloader = dict(
    dataset=dict(
        source=dict(type='GeneratedSeries', preset='study_c'),
        look_back=30,
        horizon=1))
