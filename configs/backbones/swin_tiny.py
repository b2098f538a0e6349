"""Swin-tiny on flowers, the stem and the first 3 of its 4 stages frozen.

python tools/train.py configs/backbones/swin_tiny.py
"""
_base_ = [
    '../_base_/models/swin_tiny.py', '../_base_/datasets/flowers_fitted.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
model = dict(frozen_stages=3)
optim_wrapper = dict(optimizer=dict(lr=0.001))
