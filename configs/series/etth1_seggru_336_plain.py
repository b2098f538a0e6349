"""ETTh1, 336 rows ahead: segmented GRU without subtracting the last value.

python tools/train.py configs/series/etth1_seggru_336_plain.py
"""
_base_ = 'etth1_seggru_336.py'
model = dict(normalization='none')
