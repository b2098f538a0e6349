"""EfficientNet-Lite0 on flowers, the whole backbone frozen, only the head is trained.

python tools/train.py configs/backbones/efficientnet_lite0_frozenall.py
"""
_base_ = 'efficientnet_lite0.py'
model = dict(frozen_stages='all')
