"""Tiny-ImageNet's 64-pixel images resized to 224 pixels, bilinearly; no augmentation.

python data_preprocess.py --download tiny-imagenet

Without a holdout `val` is its 10,000 evaluation images, and there is no `test`. For three parts,
in every part: dataset=dict(holdout=50).
"""
_base_ = 'image_loaders.py'
_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=224, interpolation='bilinear'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(
        type='TinyImageNet', data_root='data/tiny-imagenet-200', split='train',
        pipeline=_pipeline))
val_dataloader = dict(
    dataset=dict(
        type='TinyImageNet', data_root='data/tiny-imagenet-200', split='val',
        pipeline=_pipeline))
test_dataloader = dict(
    dataset=dict(
        type='TinyImageNet', data_root='data/tiny-imagenet-200', split='test',
        pipeline=_pipeline))
