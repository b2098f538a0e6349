"""ETTh1, 192 rows ahead: segmented GRU as the search of benchmarks/etth1.py chose it.

Its errors: docs/etth1.md.

python tools/train.py configs/series/etth1_seggru_192.py
"""
_base_ = 'etth1_seggru_96.py'
model = dict(encoder=dict(dropout=0.7))
train_dataloader = dict(dataset=dict(horizon=192))
optim_wrapper = dict(optimizer=dict(lr=0.0005))
