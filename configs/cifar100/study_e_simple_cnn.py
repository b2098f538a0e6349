"""Study E: CIFAR-100 with a simple CNN from scratch.

python tools/train.py configs/cifar100/study_e_simple_cnn.py
"""
_base_ = [
    '../_base_/models/simple_cnn.py', '../_base_/datasets/cifar100_three_parts.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime_early_stopping.py'
]

