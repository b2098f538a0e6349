"""Study A's baseline: ResNet50 on flowers, everything trained, learning rate 0.01, 30 epochs.

python tools/train.py configs/resnet50_baseline.py
"""
_base_ = [
    '_base_/models/resnet50.py', '_base_/datasets/flowers.py', '_base_/schedules/sgd_30e.py',
    '_base_/runtime.py'
]
