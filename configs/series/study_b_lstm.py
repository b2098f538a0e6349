"""Study B, one series of 365 days: LSTM.

Longer data: --cfg-options train_dataloader.dataset.source.length=1460, fresh; or .append=4, the
series behind itself, as reported, which puts the test part into the training part.

python tools/train.py configs/series/study_b_lstm.py
"""
_base_ = [
    '../_base_/models/lstm.py', '../_base_/datasets/study_b.py',
    '../_base_/schedules/adam_10e.py', '../_base_/runtime_series.py'
]
train_cfg = dict(max_epochs=50)
