"""Tiny-ImageNet reduced to CIFAR's 32 pixels by area, with the augmentation of cifar100.py.

Augmentation: mirror, and in one bilinear step rotation by up to 15 degrees, shift by up to a tenth
of width and height, zoom between 0.8 and 1.2. What comes in from outside the image is filled with
ImageNet's mean colour (blue, green, red), which normalisation makes zero.

python data_preprocess.py --download tiny-imagenet

Without a holdout `val` is its 10,000 evaluation images, and there is no `test`. For three parts,
in every part: dataset=dict(holdout=50).
"""
_base_ = 'tiny_imagenet.py'
_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=32, interpolation='area'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='NumpyToPIL'),
    dict(
        type='torchvision/RandomAffine',
        degrees=15,
        translate=(0.1, 0.1),
        scale=(0.8, 1.2),
        interpolation='bilinear',
        fill=(104, 116, 124)),
    dict(type='PILToNumpy'),
    dict(type='PackInputs'),
]
_eval_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=32, interpolation='area'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=_train_pipeline))
val_dataloader = dict(batch_size=256, dataset=dict(pipeline=_eval_pipeline))
test_dataloader = dict(batch_size=256, dataset=dict(pipeline=_eval_pipeline))
