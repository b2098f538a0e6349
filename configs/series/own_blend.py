"""A CSV file of your own: trained forecasters put together, weighted on the validation part.

Train the members first: own.py and own_ridge.py, or others (--cfg-options
model.members="['work_dirs/own/latest', 'work_dirs/own_seasonal_naive/latest']").

python tools/train.py configs/series/own_blend.py --data my.csv
"""
_base_ = [
    '../_base_/datasets/own_series.py', '../_base_/schedules/fit_once.py',
    '../_base_/runtime_series.py'
]
model = dict(type='Blend', members=['work_dirs/own/latest', 'work_dirs/own_ridge/latest'])
default_hooks = dict(checkpoint=dict(save_best='forecast/mae'))
