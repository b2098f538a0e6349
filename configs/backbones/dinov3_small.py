"""DINOv3-small on flowers, the whole backbone frozen, only the head is trained.

python tools/train.py configs/backbones/dinov3_small.py
"""
_base_ = [
    '../_base_/models/dinov3_small.py', '../_base_/datasets/flowers_fitted.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
model = dict(frozen_stages='all')
