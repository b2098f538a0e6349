"""ResNeXt50 (32x4d) with ImageNet weights; the head's class count comes from the data set."""
_base_ = 'resnet50.py'
model = dict(backbone=dict(type='ResNeXt'), pretrained='torchvision://resnext50_32x4d')
