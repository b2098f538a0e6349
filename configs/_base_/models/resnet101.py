"""ResNet101 with ImageNet weights."""
_base_ = 'resnet50.py'
model = dict(backbone=dict(depth=101), pretrained='torchvision://resnet101')
