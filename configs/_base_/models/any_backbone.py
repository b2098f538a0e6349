"""What is common to classifiers whose backbone says the rest: its features, pooling and scale.

Whoever inherits it names the backbone and its weights. The number of features and the pooling follow
from the backbone, the scale of pixels from what timm says of its weights (ImageNet's where it says
nothing), the number of classes from the data set.
"""
model = dict(
    type='ImageClassifier',
    head=dict(
        type='LinearClsHead',
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)),
    pretrained_head=False,
    frozen_stages=-1,
    trainable=())
data_preprocessor = dict(mean='model', std='model', to_rgb=True)
