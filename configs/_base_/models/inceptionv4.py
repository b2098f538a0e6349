"""InceptionV4 with ImageNet weights, which expect pixels between -1 and 1.

Images have 75 pixels and more; three stages behind the stem.
"""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='TIMMBackbone', model_name='inception_v4'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        in_channels=1536,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)),
    pretrained='timm://inception_v4',
    pretrained_head=False,
    frozen_stages=-1,
    trainable=())
data_preprocessor = dict(
    mean=[127.5, 127.5, 127.5],
    std=[127.5, 127.5, 127.5],
    to_rgb=True)
