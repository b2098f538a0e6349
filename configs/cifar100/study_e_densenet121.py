"""Study E: CIFAR-100 with DenseNet121, frozen, dropout and a dense layer.

python tools/train.py configs/cifar100/study_e_densenet121.py
"""
_base_ = [
    '../_base_/models/densenet121.py', '../_base_/datasets/cifar100_three_parts.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime_early_stopping.py'
]
model = dict(
    frozen_stages='all',
    head=dict(_delete_=True, type='DenseHead', in_channels=1024, dropout=0.5, topk=(1, 5)))
