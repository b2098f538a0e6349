"""ETTh1, 96 rows ahead: segmented GRU whose columns read each other first.

All else is as in etth1_seggru_96.py, where each column is forecast from its own past alone.

python tools/train.py configs/series/etth1_mixing_96.py
"""
_base_ = [
    '../_base_/models/segmented_gru_mixing.py', '../_base_/datasets/etth1.py',
    '../_base_/schedules/adam_exponential_30e.py', '../_base_/runtime_series.py'
]
model = dict(encoder=dict(hidden_size=256), head=dict(loss='mae'))
train_dataloader = dict(batch_size=128)
param_scheduler = dict(gamma=0.8)
train_cfg = dict(max_epochs=8)
custom_hooks = [dict(type='RunEarlyStoppingHook', monitor='forecast/mse', patience=2)]
execution = dict(precision='auto')
