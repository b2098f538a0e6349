"""Tiny-ImageNet at its own 64 pixels, for networks from scratch; random crops and mirror images.

python data_preprocess.py --download tiny-imagenet

Without a holdout `val` is its 10,000 evaluation images, and there is no `test`. For three parts,
in every part: dataset=dict(holdout=50).
"""
_base_ = 'tiny_imagenet.py'
_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.5, 1.0), backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
_eval_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=64, interpolation='area'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=_train_pipeline))
val_dataloader = dict(batch_size=256, dataset=dict(pipeline=_eval_pipeline))
test_dataloader = dict(batch_size=256, dataset=dict(pipeline=_eval_pipeline))
