"""Study A's baseline with EfficientNet-Lite0, whose weights need no network; everything trained.

python tools/train.py configs/backbones/efficientnet_lite0.py
"""
_base_ = [
    '../_base_/models/efficientnet_lite0.py', '../_base_/datasets/flowers.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
