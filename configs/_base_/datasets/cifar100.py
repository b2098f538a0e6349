"""CIFAR-100 at its own 32 pixels; fine labels, with the superclasses beside them.

Augmentation: mirror, and in one bilinear step rotation by up to 15 degrees, shift by up to a tenth
of width and height, zoom between 0.8 and 1.2. What comes in from outside the image is filled with
ImageNet's mean colour (blue, green, red), which normalisation makes zero.

Resizing does nothing to its own images; any other, as tools/predict.py may be given, becomes as
large. The 20 superclasses as classes, in every part: dataset=dict(labels='coarse').

python data_preprocess.py --download cifar100

Without a holdout `val` is its 10,000 evaluation images, and there is no `test`: see
cifar100_three_parts.py.
"""
_base_ = 'image_loaders.py'
_train_pipeline = [
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
    dict(type='Resize', scale=32, interpolation='area'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        type='CIFAR100Python', data_root='data/cifar-100-python', split='train',
        pipeline=_train_pipeline))
val_dataloader = dict(
    batch_size=256,
    dataset=dict(
        type='CIFAR100Python', data_root='data/cifar-100-python', split='val',
        pipeline=_eval_pipeline))
test_dataloader = dict(
    batch_size=256,
    dataset=dict(
        type='CIFAR100Python', data_root='data/cifar-100-python', split='test',
        pipeline=_eval_pipeline))
val_evaluator = [dict(type='Accuracy', topk=(1, 5)), dict(type='SuperclassAccuracy')]
test_evaluator = [dict(type='Accuracy', topk=(1, 5)), dict(type='SuperclassAccuracy')]
