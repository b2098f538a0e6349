"""Table 3 of study A, one row more: VGG19 with batch norm on flowers.

python tools/train.py configs/backbones/vgg19bn.py
"""
_base_ = [
    '../_base_/models/vgg19bn.py', '../_base_/datasets/flowers.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
optim_wrapper = dict(optimizer=dict(lr=0.001))
