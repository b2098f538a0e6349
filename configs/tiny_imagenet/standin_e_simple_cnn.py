"""Stand-in for E, Tiny-ImageNet at 32 pixels: a simple CNN from scratch.

python tools/train.py configs/tiny_imagenet/standin_e_simple_cnn.py
"""
_base_ = [
    '../_base_/models/simple_cnn.py', '../_base_/datasets/tiny_imagenet_32.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime_early_stopping.py'
]

