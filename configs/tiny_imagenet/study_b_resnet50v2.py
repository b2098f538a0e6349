"""Study B: ResNet50V2 on Tiny-ImageNet, all of it frozen, one dense layer; 50 epochs.

The report names neither optimizer nor batch: Adam at 0.001 and 32 images here. Nothing is drawn
at random, so the frozen base is computed once for each image.

python tools/train.py configs/tiny_imagenet/study_b_resnet50v2.py
"""
_base_ = [
    '../_base_/models/resnet50v2.py', '../_base_/datasets/tiny_imagenet.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime.py'
]
model = dict(frozen_stages='all')
