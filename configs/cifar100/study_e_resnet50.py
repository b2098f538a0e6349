"""Study E: CIFAR-100 with ResNet50, everything trained.

python tools/train.py configs/cifar100/study_e_resnet50.py
"""
_base_ = [
    '../_base_/models/resnet50.py', '../_base_/datasets/cifar100_three_parts.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime_early_stopping.py'
]

