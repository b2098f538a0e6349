"""VGG16 with ImageNet weights, its last feature map pooled, and one dense layer.

Five stages and no stem: frozen_stages=0 is an error.
"""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='VGG', depth=16),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        in_channels=512,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)),
    pretrained='torchvision://vgg16',
    pretrained_head=False,
    frozen_stages=-1,
    trainable=())
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True)
