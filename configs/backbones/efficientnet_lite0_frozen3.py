"""EfficientNet-Lite0 on flowers, the stem and the first 3 of its 7 stages frozen.

python tools/train.py configs/backbones/efficientnet_lite0_frozen3.py
"""
_base_ = 'efficientnet_lite0.py'
model = dict(frozen_stages=3)
