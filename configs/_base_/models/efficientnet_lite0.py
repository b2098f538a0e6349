"""EfficientNet-Lite0 with ImageNet weights out of a Python package; (x - 127) / 128.

Its stages are the seven of its paper, behind a stem. Trained on images of 224 pixels.
"""
_base_ = 'pooled_linear.py'
model = dict(
    backbone=dict(type='TIMMBackbone', model_name='tf_efficientnet_lite0'),
    head=dict(in_channels=1280),
    pretrained='package://efficientnet_lite0')
data_preprocessor = dict(mean=[127., 127., 127.], std=[128., 128., 128.])
