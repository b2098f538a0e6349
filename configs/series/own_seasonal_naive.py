"""A CSV file of your own, as in own.py: the last season again.

python tools/train.py configs/series/own_seasonal_naive.py --data my.csv
"""
_base_ = [
    '../_base_/models/simple.py', '../_base_/datasets/own_series.py',
    '../_base_/schedules/fit_once.py', '../_base_/runtime_series.py'
]
model = dict(method=dict(type='SeasonalNaive'))
default_hooks = dict(checkpoint=dict(save_best='forecast/mae'))
