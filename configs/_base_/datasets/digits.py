"""Handwritten digits 0 to 4 from scikit-learn at 32 pixels, written out by tools/quickstart.py.

A flipped digit is another sign, so the only augmentation is a crop after padding.
"""
_base_ = 'image_loaders.py'
_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=32, padding=3),
    dict(type='PackInputs'),
]
_eval_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='ImageNetFolder', data_root='data/digits_0_to_4', split='train',
        pipeline=_train_pipeline))
val_dataloader = dict(
    batch_size=128,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='ImageNetFolder', data_root='data/digits_0_to_4', split='val',
        pipeline=_eval_pipeline))
test_dataloader = dict(
    batch_size=128,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='ImageNetFolder', data_root='data/digits_0_to_4', split='test',
        pipeline=_eval_pipeline))
val_evaluator = dict(topk=(1, ))
test_evaluator = dict(topk=(1, ))
