"""ETTh1, 192 rows ahead: segmented GRU without subtracting the last value.

python tools/train.py configs/series/etth1_seggru_192_plain.py
"""
_base_ = 'etth1_seggru_192.py'
model = dict(normalization='none')
