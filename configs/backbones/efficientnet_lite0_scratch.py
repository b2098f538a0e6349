"""EfficientNet-Lite0 on flowers from scratch: what the pretrained weights are worth.

python tools/train.py configs/backbones/efficientnet_lite0_scratch.py
"""
_base_ = 'efficientnet_lite0.py'
model = dict(pretrained=None)
