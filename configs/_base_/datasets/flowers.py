"""Five flowers in ImageNet format at 224 pixels, as data_preprocess.py writes them.

python data_preprocess.py --download flowers
python data_preprocess.py data/raw/flowers data/flower_dataset --train-ratio 0.8 --val-ratio 0.2
"""
_base_ = 'image_loaders.py'
_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224, backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
_eval_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='cv2'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(
        type='ImageNetFolder', data_root='data/flower_dataset', split='train',
        pipeline=_train_pipeline))
val_dataloader = dict(
    dataset=dict(
        type='ImageNetFolder', data_root='data/flower_dataset', split='val',
        pipeline=_eval_pipeline))
test_dataloader = dict(
    dataset=dict(
        type='ImageNetFolder', data_root='data/flower_dataset', split='test',
        pipeline=_eval_pipeline))
