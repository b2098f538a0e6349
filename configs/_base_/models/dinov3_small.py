"""DINOv3-small, pretrained without labels; twelve stages, each a block.

Its licence is its own: read it before you use the weights."""
_base_ = 'any_backbone.py'
model = dict(
    backbone=dict(type='TIMMBackbone', model_name='vit_small_patch16_dinov3'),
    pretrained='timm://vit_small_patch16_dinov3')
