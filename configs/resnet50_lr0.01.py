"""Study A, table 2: learning rate 0.01.

python tools/train.py configs/resnet50_lr0.01.py
"""
_base_ = 'resnet50_baseline.py'
optim_wrapper = dict(optimizer=dict(lr=0.01))
