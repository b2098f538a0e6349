"""A CSV file of your own, as in own.py: an sLSTM in the place of the GRU.

python tools/train.py configs/series/own_slstm.py --data my.csv
"""
_base_ = [
    '../_base_/models/segmented_slstm.py', '../_base_/datasets/own_series.py',
    '../_base_/schedules/adam_exponential_30e.py', '../_base_/runtime_series.py'
]
model = dict(
    encoder=dict(hidden_size=64, segment_length=None, dropout=0.1), head=dict(loss='mae'))
optim_wrapper = dict(optimizer=dict(lr=0.003))
custom_hooks = [dict(type='RunEarlyStoppingHook', monitor='forecast/mae', patience=4)]
default_hooks = dict(checkpoint=dict(save_best='forecast/mae'))
