"""A CSV file of your own, one series or many: what it holds is found out, and said.

Which column holds the times and which names the series, the step, look-back and horizon; every
column of numbers is forecast. Rows at uneven times are brought to one step, missing rows and values
are masked, series too short are left out: the notes of a run count them. Each can be set, here or
on the command line: --cfg-options train_dataloader.dataset.horizon=48
train_dataloader.dataset.targets="['sales']" train_dataloader.dataset.source.step='1 hour'
"""
_base_ = 'series_windows.py'
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        source=dict(
            type='CSVSeries',
            path='data/series.csv',
            date_column='auto',
            id_column='auto',
            resample='mean',
            gaps='mask',
            missing='mask'),
        look_back='auto',
        horizon='auto',
        known='auto',
        calendar='auto',
        short='drop'))
