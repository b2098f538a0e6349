"""ETTh1, 96 rows ahead: segmented GRU as the search of benchmarks/etth1.py chose it.

Mean of 3 seeds: MSE 0.632 on validation, 0.3545 ± 0.0015 on test; about 2.6 min a
training on one busy CPU core with bf16 units.

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
