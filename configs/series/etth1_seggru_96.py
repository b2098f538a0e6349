"""ETTh1, 96 rows ahead: segmented GRU.

python tools/train.py configs/series/etth1_seggru_96.py
"""
_base_ = [
    '../_base_/models/segmented_gru.py', '../_base_/datasets/etth1.py',
    '../_base_/schedules/adam_30e.py', '../_base_/runtime_series.py'
]
custom_hooks = [dict(type='RunEarlyStoppingHook', monitor='forecast/mse', patience=10)]
