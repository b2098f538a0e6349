"""ViT-small (16-pixel patches) with ImageNet weights; twelve stages, each a block."""
_base_ = 'any_backbone.py'
model = dict(
    backbone=dict(type='TIMMBackbone', model_name='vit_small_patch16_224'),
    pretrained='timm://vit_small_patch16_224')
