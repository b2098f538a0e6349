"""Study B's protocol with EfficientNet-Lite0: all of it frozen, one dense layer; 50 epochs.

The report names neither optimizer nor batch: Adam at 0.001 and 32 images here. Nothing is drawn
at random, so the frozen base is computed once for each image.

python tools/train.py configs/tiny_imagenet/study_b_efficientnet_lite0.py
"""
_base_ = [
    '../_base_/models/efficientnet_lite0.py', '../_base_/datasets/tiny_imagenet_cubic.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime.py'
]
model = dict(frozen_stages='all')
