"""DenseNet121 with ImageNet weights; the head's class count comes from the data set."""
_base_ = 'pooled_linear.py'
model = dict(
    backbone=dict(type='DenseNet', arch='121'),
    head=dict(in_channels=1024),
    pretrained='torchvision://densenet121')
