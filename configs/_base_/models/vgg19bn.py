"""VGG19 with batch norm and ImageNet weights, pooled, and one dense layer."""
_base_ = 'vgg16bn.py'
model = dict(backbone=dict(depth=19), pretrained='torchvision://vgg19_bn')
