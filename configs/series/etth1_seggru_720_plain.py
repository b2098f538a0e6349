"""ETTh1, 720 rows ahead: segmented GRU without subtracting the last value.

python tools/train.py configs/series/etth1_seggru_720_plain.py
"""
_base_ = 'etth1_seggru_720.py'
model = dict(normalization='none')
