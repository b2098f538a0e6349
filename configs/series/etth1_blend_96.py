"""ETTh1, 96 rows ahead: ridge regression on 336 and on 720 rows and a segmented GRU, equal parts.

The one recipe of these for hourly data that nobody tuned it on: the members are trained first, on
the same data. Any file of the shape: --data data/ETTh2.csv. Its errors: docs/etth1.md.

python tools/train.py configs/series/etth1_blend_96.py
"""
_base_ = [
    '../_base_/datasets/etth1.py', '../_base_/schedules/fit_once.py', '../_base_/runtime_series.py'
]
model = dict(
    type='Blend',
    members=[
        'etth1_ridge.py',
        dict(config='etth1_ridge.py', options={'train_dataloader.dataset.look_back': 720}),
        'etth1_seggru_96.py'
    ],
    weights='equal')
