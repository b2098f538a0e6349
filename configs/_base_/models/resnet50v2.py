"""ResNet50V2 (batch norm and relu before each convolution) with ImageNet weights.

They expect pixels between -1 and 1.
"""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='TIMMBackbone', model_name='resnetv2_50'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        in_channels=2048,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)),
    pretrained='timm://resnetv2_50',
    pretrained_head=False,
    frozen_stages=-1,
    trainable=())
data_preprocessor = dict(
    mean=[127.5, 127.5, 127.5],
    std=[127.5, 127.5, 127.5],
    to_rgb=True)
