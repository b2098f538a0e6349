"""ETTh1, 192 rows ahead: segmented GRU.

python tools/train.py configs/series/etth1_seggru_192.py
"""
_base_ = 'etth1_seggru_96.py'
train_dataloader = dict(dataset=dict(horizon=192))
