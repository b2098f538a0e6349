"""What most backbones share: the last feature map pooled, one dense layer, ImageNet's scale.

Whoever inherits it names the backbone, its features (head.in_channels) and its weights. The head's
class count comes from the data set.
"""
model = dict(
    type='ImageClassifier',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)),
    pretrained_head=False,
    frozen_stages=-1,
    trainable=())
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True)
