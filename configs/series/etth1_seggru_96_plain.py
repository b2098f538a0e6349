"""ETTh1, 96 rows ahead: segmented GRU that subtracts nothing from a window.

All else is as in etth1_seggru_96.py, which subtracts the last value.

python tools/train.py configs/series/etth1_seggru_96_plain.py
"""
_base_ = 'etth1_seggru_96.py'
model = dict(normalization='none')
