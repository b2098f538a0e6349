"""Study A, table 1: the stem and the first 2 stages frozen.

python tools/train.py configs/resnet50_frozen2.py
"""
_base_ = 'resnet50_baseline.py'
model = dict(frozen_stages=2)
