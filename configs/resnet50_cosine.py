"""ResNet50 on flowers, everything trained, its learning rate of 0.01 falling along a cosine.

python tools/train.py configs/resnet50_cosine.py
"""
_base_ = [
    '_base_/models/resnet50.py', '_base_/datasets/flowers.py',
    '_base_/schedules/sgd_cosine_30e.py', '_base_/runtime.py'
]
