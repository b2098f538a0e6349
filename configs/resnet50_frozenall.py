"""Study A, table 1: the whole backbone frozen, only the head is trained.

python tools/train.py configs/resnet50_frozenall.py
"""
_base_ = 'resnet50_baseline.py'
model = dict(frozen_stages='all')
