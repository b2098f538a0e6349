"""A deep CNN with batch norm for images of 64 pixels, from scratch; the layers are ours.

Five groups of two 3x3 convolutions, 32 to 512 channels, each with batch norm; a pooling of 2
between the groups, 64 pixels to 512 maps of 4 x 4; pooled, half of it dropped, one dense layer. It
takes images of 16 pixels and more.
"""
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='PlainCNN', channels=(32, 64, 128, 256, 512), convolutions=2, padding=1,
        batch_norm=True),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='DenseHead',
        in_channels=512,
        dropout=0.5,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)),
    pretrained=None,
    frozen_stages=-1,
    trainable=())
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True)
