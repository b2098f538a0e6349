"""ETTh1, 96 rows ahead: bidirectional LSTM that looks back on 96 rows.

python tools/train.py configs/series/etth1_bidirectional_96.py
"""
_base_ = [
    '../_base_/models/bidirectional_rnn.py', '../_base_/datasets/etth1.py',
    '../_base_/schedules/adam_exponential_30e.py', '../_base_/runtime_series.py'
]
train_dataloader = dict(batch_size=32, dataset=dict(look_back=96))
custom_hooks = [dict(type='RunEarlyStoppingHook', monitor='forecast/mse', patience=10)]
