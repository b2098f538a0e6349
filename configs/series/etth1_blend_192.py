"""ETTh1, 192 rows ahead: ridge regression on 336 and on 720 rows and a segmented GRU, equal parts.

See etth1_blend_96.py.

python tools/train.py configs/series/etth1_blend_192.py
"""
_base_ = 'etth1_blend_96.py'
model = dict(members=[
    'etth1_ridge.py',
    dict(config='etth1_ridge.py', options={'train_dataloader.dataset.look_back': 720}),
    'etth1_seggru_192.py'
])
train_dataloader = dict(dataset=dict(horizon=192))
