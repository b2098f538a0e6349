"""InceptionV4 with ImageNet weights, which expect pixels between -1 and 1.

Images have 75 pixels and more; three stages behind the stem.
"""
_base_ = 'pooled_linear.py'
model = dict(
    backbone=dict(type='TIMMBackbone', model_name='inception_v4'),
    head=dict(in_channels=1536),
    pretrained='timm://inception_v4')
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
