"""Tiny-ImageNet's 64-pixel images resized to 260 pixels by cubic interpolation; no augmentation.

For EfficientNet-Lite2, whose training images were resized so.

python data_preprocess.py --download tiny-imagenet

Without a holdout `val` is its 10,000 evaluation images, and there is no `test`. For three parts,
in every part: dataset=dict(holdout=50).
"""
_base_ = 'tiny_imagenet.py'
_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=260, interpolation='bicubic'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_pipeline))
