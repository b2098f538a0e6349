"""ETTh1, 336 rows ahead: segmented GRU as the search of benchmarks/etth1.py chose it.

It subtracts from a window the mean of the same hours, not its last value as at 96 and 192 rows.
Its errors: docs/etth1.md.

python tools/train.py configs/series/etth1_seggru_336.py
"""
_base_ = 'etth1_seggru_96.py'
model = dict(normalization='season')
train_dataloader = dict(dataset=dict(horizon=336))
optim_wrapper = dict(optimizer=dict(lr=0.0002))
custom_hooks = [dict(type='RunEarlyStoppingHook', monitor='forecast/mse', patience=1)]
