"""VGG19 with ImageNet weights, pooled, and one dense layer."""
_base_ = 'vgg16.py'
model = dict(backbone=dict(depth=19), pretrained='torchvision://vgg19')
