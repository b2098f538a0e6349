"""Tiny-ImageNet's 64-pixel images resized to 299 pixels, bilinearly; no augmentation.

For InceptionV3 and InceptionV4, which were trained on images of 299 pixels.

python data_preprocess.py --download tiny-imagenet

Without a holdout `val` is its 10,000 evaluation images, and there is no `test`. For three parts,
in every part: dataset=dict(holdout=50).
"""
_base_ = 'tiny_imagenet.py'
_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=299, interpolation='bilinear'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_pipeline))
