"""ETTh1, 720 rows ahead: segmented GRU that subtracts nothing from a window.

All else is as in etth1_seggru_720.py, which subtracts the mean of the same hours.

python tools/train.py configs/series/etth1_seggru_720_plain.py
"""
_base_ = 'etth1_seggru_720.py'
model = dict(normalization='none')
