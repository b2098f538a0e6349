"""Study A, table 2: learning rate 0.001.

python tools/train.py configs/resnet50_lr0.001.py
"""
_base_ = 'resnet50_baseline.py'
optim_wrapper = dict(optimizer=dict(lr=0.001))
