"""Study C, a series of 1,000 points, 10 epochs: GRU.

3,000 points: --cfg-options train_dataloader.dataset.source.length=3000; to begin with the weights
of another run, as reported: --pretrained work_dirs/study_c_gru/latest/best.pth

python tools/train.py configs/series/study_c_gru.py
"""
_base_ = [
    '../_base_/models/gru.py', '../_base_/datasets/study_c.py',
    '../_base_/schedules/adam_10e.py', '../_base_/runtime_series.py'
]
