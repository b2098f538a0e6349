"""ImageNet in ImageNet format at 224 pixels, by cubic interpolation; random crops, mirror images.

The 1000 class folders are called by their WordNet numbers, n01440764 and so on.

python data_preprocess.py <folder of class folders> data/imagenet --train-ratio 0.96 --val-ratio 0.04
"""
_base_ = 'flowers.py'
_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224, interpolation='bicubic', backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
_eval_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', interpolation='bicubic', backend='cv2'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(data_root='data/imagenet', pipeline=_train_pipeline))
val_dataloader = dict(dataset=dict(data_root='data/imagenet', pipeline=_eval_pipeline))
test_dataloader = dict(dataset=dict(data_root='data/imagenet', pipeline=_eval_pipeline))
