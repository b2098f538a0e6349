"""A CSV file of your own: a segmented GRU and ridge regression together, weighted on validation.

Both are trained first. Others, configs or runs that are there: --cfg-options
model.members="['own_ridge.py', 'own_seasonal_naive.py']"; weights by several origins:
tools/backtest.py.

python tools/train.py configs/series/own_blend.py --data my.csv
"""
_base_ = [
    '../_base_/datasets/own_series.py', '../_base_/schedules/fit_once.py',
    '../_base_/runtime_series.py'
]
model = dict(type='Blend', members=['own.py', 'own_ridge.py'])
default_hooks = dict(checkpoint=dict(save_best='forecast/mae'))
