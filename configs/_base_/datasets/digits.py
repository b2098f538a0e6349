"""Handwritten digits 0 to 4 from scikit-learn at 32 pixels, written out by tools/quickstart.py.

A flipped digit is another sign, so the only augmentation is a crop after padding.
"""
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
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='ImageNetFolder', data_root='data/digits_0_to_4', split='train',
        pipeline=_train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size=128,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='ImageNetFolder', data_root='data/digits_0_to_4', split='val',
        pipeline=_eval_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = dict(
    batch_size=128,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='ImageNetFolder', data_root='data/digits_0_to_4', split='test',
        pipeline=_eval_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_evaluator = dict(type='Accuracy', topk=(1, ))
