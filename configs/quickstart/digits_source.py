"""Quickstart: ResNet18 trained from scratch on the digits 0 to 4.

python tools/train.py configs/quickstart/digits_source.py
"""
_base_ = [
    '../_base_/models/resnet18.py', '../_base_/datasets/digits.py', '../_base_/schedules/sgd_8e.py',
    '../_base_/runtime.py'
]
model = dict(pretrained=None)
