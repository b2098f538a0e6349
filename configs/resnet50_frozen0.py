"""Study A, table 1, row 0: nothing frozen, which is the baseline.

python tools/train.py configs/resnet50_frozen0.py
"""
_base_ = 'resnet50_baseline.py'
model = dict(frozen_stages=-1)
