"""ETTh1, 96 rows ahead: segmented GRU and ridge regression together, weighted on validation.

Train the members first: etth1_seggru_96.py and etth1_ridge.py.

python tools/train.py configs/series/etth1_blend.py
"""
_base_ = [
    '../_base_/datasets/etth1.py', '../_base_/schedules/fit_once.py', '../_base_/runtime_series.py'
]
model = dict(
    type='Blend', members=['work_dirs/etth1_seggru_96/latest', 'work_dirs/etth1_ridge/latest'])
