"""VGG16 with batch norm and ImageNet weights, pooled, and one dense layer."""
_base_ = 'vgg16.py'
model = dict(backbone=dict(norm_cfg=dict(type='BN')), pretrained='torchvision://vgg16_bn')
