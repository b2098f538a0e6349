"""Stand-in for E, Tiny-ImageNet at 32 pixels: DenseNet121, frozen, dropout and a dense layer.

python tools/train.py configs/tiny_imagenet/standin_e_densenet121.py
"""
_base_ = [
    '../_base_/models/densenet121.py', '../_base_/datasets/tiny_imagenet_32.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime_early_stopping.py'
]
model = dict(
    frozen_stages='all',
    head=dict(_delete_=True, type='DenseHead', in_channels=1024, dropout=0.5, topk=(1, 5)))
