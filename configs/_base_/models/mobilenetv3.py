"""MobileNetV3-large with ImageNet weights, and the two dense layers of its paper behind it."""
_base_ = 'pooled_linear.py'
model = dict(
    backbone=dict(type='MobileNetV3', arch='large'),
    head=dict(
        type='StackedLinearClsHead',
        in_channels=960,
        mid_channels=[1280],
        dropout_rate=0.2,
        act_cfg=dict(type='HSwish'),
        init_cfg=dict(type='Normal', layer='Linear', mean=0.0, std=0.01, bias=0.0)),
    pretrained='torchvision://mobilenet_v3_large')
