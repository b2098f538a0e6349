"""A CNN of three convolutions and two dense layers for images of 32 pixels, from scratch.

At 32 pixels three convolutions of 3x3 without padding and two poolings give 64 maps of 4 x 4: the
head takes 1024 features. For another image size set head.in_channels.
"""
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='PlainCNN', channels=(32, 64, 64), convolutions=1, padding=0, batch_norm=False),
    head=dict(
        type='DenseHead',
        in_channels=1024,
        hidden_channels=(64, ),
        dropout=0.0,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)),
    pretrained=None,
    frozen_stages=-1,
    trainable=())
data_preprocessor = dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0], to_rgb=True)
