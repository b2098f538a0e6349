"""A generated hourly load, a day ahead: GRU.

python tools/train.py configs/series/hourly_gru.py
"""
_base_ = [
    '../_base_/models/gru.py', '../_base_/datasets/hourly.py',
    '../_base_/schedules/adam_10e.py', '../_base_/runtime_series.py'
]
