"""Flowers at the size and with the interpolation that the model's weights were trained with.

python data_preprocess.py --download flowers
python data_preprocess.py data/raw/flowers data/flower_dataset --train-ratio 0.8 --val-ratio 0.2
"""
_base_ = 'flowers.py'
_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale='model', backend='cv2', interpolation='model'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
_eval_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale='model', edge='short', backend='cv2', interpolation='model'),
    dict(type='CenterCrop', crop_size='model'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=_train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_eval_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_eval_pipeline))
