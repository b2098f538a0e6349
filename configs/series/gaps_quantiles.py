"""A generated series with gaps, a day ahead: quantiles from a GRU.

python tools/train.py configs/series/gaps_quantiles.py
"""
_base_ = [
    '../_base_/models/gru.py', '../_base_/datasets/gaps.py',
    '../_base_/schedules/adam_10e.py', '../_base_/runtime_series.py'
]
model = dict(
    head=dict(
        _delete_=True,
        type='QuantileHead',
        levels=(0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)),
    missing_indicator=True)
