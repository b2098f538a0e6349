"""ETTh1, 96 rows ahead: segmented GRU without subtracting the last value.

python tools/train.py configs/series/etth1_seggru_96_plain.py
"""
_base_ = 'etth1_seggru_96.py'
model = dict(normalization='none')
