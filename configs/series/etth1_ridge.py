"""ETTh1, 96 rows ahead, ridge regression on 336 rows: closed form, no network.

Other sizes: --cfg-options train_dataloader.dataset.look_back=720 train_dataloader.dataset.horizon=336

python tools/train.py configs/series/etth1_ridge.py
"""
_base_ = [
    '../_base_/models/simple.py', '../_base_/datasets/etth1.py',
    '../_base_/schedules/fit_once.py', '../_base_/runtime_series.py'
]
model = dict(method=dict(type='Ridge'))
train_dataloader = dict(dataset=dict(look_back=336))
