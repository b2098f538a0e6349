"""A generated hourly load, a day ahead: segmented GRU.

python tools/train.py configs/series/hourly_seggru.py
"""
_base_ = [
    '../_base_/models/segmented_gru.py', '../_base_/datasets/hourly.py',
    '../_base_/schedules/adam_10e.py', '../_base_/runtime_series.py'
]
model = dict(encoder=dict(hidden_size=64, segment_length=24, dropout=0.0), normalization='revin')
train_dataloader = dict(batch_size=64, dataset=dict(source=dict(length=6000)))
optim_wrapper = dict(optimizer=dict(lr=0.003))
param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', T_max=20, by_epoch=True)
train_cfg = dict(max_epochs=20)
