"""Swin-tiny (windows of 7 patches) with ImageNet weights; four stages behind a stem."""
_base_ = 'any_backbone.py'
model = dict(
    backbone=dict(type='TIMMBackbone', model_name='swin_tiny_patch4_window7_224'),
    pretrained='timm://swin_tiny_patch4_window7_224')
