"""ResNet50 with ImageNet weights; the head's class count comes from the data set."""
_base_ = 'pooled_linear.py'
model = dict(
    backbone=dict(type='ResNet', depth=50, num_stages=4, out_indices=(3, ), style='pytorch'),
    head=dict(in_channels=2048),
    pretrained='torchvision://resnet50')
