"""ETTh1, 96 rows ahead: segmented GRU as the search of benchmarks/etth1.py chose it.

Its errors: docs/etth1.md.

python tools/train.py configs/series/etth1_seggru_96.py
"""
_base_ = [
    '../_base_/models/segmented_gru.py', '../_base_/datasets/etth1.py',
    '../_base_/schedules/adam_exponential_30e.py', '../_base_/runtime_series.py'
]
model = dict(encoder=dict(hidden_size=256), head=dict(loss='mae'))
train_dataloader = dict(batch_size=128)
param_scheduler = dict(gamma=0.8)
train_cfg = dict(max_epochs=8)
custom_hooks = [dict(type='RunEarlyStoppingHook', monitor='forecast/mse', patience=2)]
execution = dict(precision='auto')
