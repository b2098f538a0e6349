"""ETTh1: hourly load and oil temperature of a transformer, 7 columns.

The usual parts: 12 months of training, 4 of validation, 4 of test; later rows are not used. Any
file of the same shape: --cfg-options train_dataloader.dataset.source.path=data/ETTh2.csv

python data_preprocess.py --download etth1
"""
_base_ = 'series_windows.py'
train_dataloader = dict(
    batch_size=256,
    dataset=dict(
        source=dict(type='CSVSeries', path='data/ETTh1.csv', date_column='date'),
        look_back=720,
        horizon=96,
        borders=(8640, 11520, 14400)))
