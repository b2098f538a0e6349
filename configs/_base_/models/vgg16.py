"""VGG16 with ImageNet weights, its last feature map pooled, and one dense layer.

Five stages and no stem: frozen_stages=0 is an error.
"""
_base_ = 'pooled_linear.py'
model = dict(
    backbone=dict(type='VGG', depth=16),
    head=dict(in_channels=512),
    pretrained='torchvision://vgg16')
