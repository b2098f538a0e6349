"""ETTh1, 720 rows ahead: segmented GRU.

python tools/train.py configs/series/etth1_seggru_720.py
"""
_base_ = 'etth1_seggru_96.py'
train_dataloader = dict(dataset=dict(horizon=720))
