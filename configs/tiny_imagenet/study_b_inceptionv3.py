"""Study B: InceptionV3 on Tiny-ImageNet, all of it frozen, one dense layer; 37 epochs.

The report names neither optimizer nor batch: Adam at 0.001 and 32 images here. Nothing is drawn
at random, so the frozen base is computed once for each image.

python tools/train.py configs/tiny_imagenet/study_b_inceptionv3.py
"""
_base_ = [
    '../_base_/models/inceptionv3.py', '../_base_/datasets/tiny_imagenet_299.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime.py'
]
model = dict(frozen_stages='all')
train_cfg = dict(max_epochs=37)
