"""Study B: VGG16 on Tiny-ImageNet, all of it frozen, flattened, one dense layer; 15 epochs.

The report names neither optimizer nor batch: Adam at 0.001 and 32 images here. Nothing is drawn
at random, so the frozen base is computed once for each image.

python tools/train.py configs/tiny_imagenet/study_b_vgg16.py
"""
_base_ = [
    '../_base_/models/vgg16_flatten.py', '../_base_/datasets/tiny_imagenet.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime.py'
]
model = dict(frozen_stages='all')
train_cfg = dict(max_epochs=15)
