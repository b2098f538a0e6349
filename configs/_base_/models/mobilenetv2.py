"""MobileNetV2 with ImageNet weights; seven stages behind a stem."""
_base_ = 'any_backbone.py'
model = dict(
    backbone=dict(type='TIMMBackbone', model_name='mobilenetv2_100'),
    pretrained='timm://mobilenetv2_100')
