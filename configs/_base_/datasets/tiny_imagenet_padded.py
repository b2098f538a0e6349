"""Tiny-ImageNet's 64-pixel images in the middle of 224 pixels, 80 black pixels on each side.

Any other image, as tools/predict.py may be given, is resized to 64 pixels first.

python data_preprocess.py --download tiny-imagenet

Without a holdout `val` is its 10,000 evaluation images, and there is no `test`. For three parts,
in every part: dataset=dict(holdout=50).
"""
_base_ = 'tiny_imagenet.py'
_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=64, interpolation='area'),
    dict(type='NumpyToPIL'),
    dict(type='torchvision/Pad', padding=80, fill=0),
    dict(type='PILToNumpy'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_pipeline))
