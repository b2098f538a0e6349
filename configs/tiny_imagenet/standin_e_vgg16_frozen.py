"""Stand-in for E, Tiny-ImageNet at 32 pixels: VGG16, frozen, dropout and a dense layer.

python tools/train.py configs/tiny_imagenet/standin_e_vgg16_frozen.py
"""
_base_ = 'standin_e_vgg16.py'
model = dict(frozen_stages='all')
optim_wrapper = dict(optimizer=dict(lr=0.001))
