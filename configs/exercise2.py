"""Study A, exercise 2: a training script of its own with five augmentations.

Random horizontal and vertical flip, colour jitter, rotation by up to 30 degrees, crop. The report
names neither their strengths nor what is trained: here the last layer is new, as it says, and
nothing is frozen; hues change little, for a flower's colour tells its class. The corners that a
rotation leaves empty get the mean colour of ImageNet, which normalisation makes zero.

python tools/train.py configs/exercise2.py
"""
_base_ = [
    '_base_/models/resnet50.py', '_base_/datasets/flowers.py', '_base_/schedules/sgd_step_25e.py',
    '_base_/runtime.py'
]
_mean_bgr = (104, 116, 124)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='ResizeEdge', scale=256, edge='short', backend='cv2'),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='RandomFlip', prob=0.5, direction='vertical'),
            dict(
                type='ColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02,
                backend='cv2'),
            dict(
                type='Rotate', prob=1.0, magnitude_range=(0, 30), magnitude_std='inf',
                interpolation='bilinear', pad_val=_mean_bgr),
            dict(type='RandomCrop', crop_size=224),
            dict(type='PackInputs'),
        ]))
