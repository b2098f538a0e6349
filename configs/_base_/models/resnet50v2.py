"""ResNet50V2 (batch norm and relu before each convolution) with ImageNet weights.

They expect pixels between -1 and 1.
"""
_base_ = 'pooled_linear.py'
model = dict(
    backbone=dict(type='TIMMBackbone', model_name='resnetv2_50'),
    head=dict(in_channels=2048),
    pretrained='timm://resnetv2_50')
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
