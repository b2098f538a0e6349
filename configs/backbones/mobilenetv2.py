"""MobileNetV2 on flowers, the stem and the first 3 of its 7 stages frozen.

python tools/train.py configs/backbones/mobilenetv2.py
"""
_base_ = [
    '../_base_/models/mobilenetv2.py', '../_base_/datasets/flowers_fitted.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
model = dict(frozen_stages=3)
optim_wrapper = dict(optimizer=dict(lr=0.001))
