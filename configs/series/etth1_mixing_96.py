"""ETTh1, 96 rows ahead: segmented GRU whose columns read each other first.

All else is as in etth1_seggru_96.py, where each column is forecast from its own past alone.

python tools/train.py configs/series/etth1_mixing_96.py
"""
_base_ = 'etth1_seggru_96.py'
model = dict(mixing=dict(type='ColumnMixer', hidden_size=16, dropout=0.1))
