"""ResNet18 with ImageNet weights; the head's class count comes from the data set."""
_base_ = 'resnet50.py'
model = dict(
    backbone=dict(depth=18), head=dict(in_channels=512), pretrained='torchvision://resnet18')
