"""Study A, table 1: the stem and the first stage frozen.

python tools/train.py configs/resnet50_frozen1.py
"""
_base_ = 'resnet50_baseline.py'
model = dict(frozen_stages=1)
