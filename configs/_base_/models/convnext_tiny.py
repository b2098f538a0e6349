"""ConvNeXt-tiny with ImageNet weights; four stages behind a stem."""
_base_ = 'any_backbone.py'
model = dict(
    backbone=dict(type='TIMMBackbone', model_name='convnext_tiny'),
    pretrained='timm://convnext_tiny')
