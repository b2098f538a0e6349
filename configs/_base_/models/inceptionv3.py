"""InceptionV3 with ImageNet weights, which expect pixels between -1 and 1.

Images have 75 pixels and more; three stages behind the stem.
"""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='InceptionV3Features'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        in_channels=2048,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)),
    pretrained='torchvision://inception_v3',
    pretrained_head=False,
    frozen_stages=-1,
    trainable=())
data_preprocessor = dict(
    mean=[127.5, 127.5, 127.5],
    std=[127.5, 127.5, 127.5],
    to_rgb=True)
