"""ViT-small on flowers, the stem and the first 10 of its 12 blocks frozen.

python tools/train.py configs/backbones/vit_small.py
"""
_base_ = [
    '../_base_/models/vit_small.py', '../_base_/datasets/flowers_fitted.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
model = dict(frozen_stages=10)
optim_wrapper = dict(optimizer=dict(lr=0.001))
