"""ResNet101V2 with ImageNet weights."""
_base_ = 'resnet50v2.py'
model = dict(backbone=dict(model_name='resnetv2_101'), pretrained='timm://resnetv2_101')
