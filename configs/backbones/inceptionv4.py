"""Table 3 of study A, one row more: InceptionV4 on flowers.

python tools/train.py configs/backbones/inceptionv4.py
"""
_base_ = [
    '../_base_/models/inceptionv4.py', '../_base_/datasets/flowers.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
optim_wrapper = dict(optimizer=dict(lr=0.001))
