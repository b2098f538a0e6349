"""Study A, table 3: ResNeXt50 at the learning rate of table 2's best row.

python tools/train.py configs/resnext50_lr0.001.py
"""
_base_ = [
    '_base_/models/resnext50.py', '_base_/datasets/flowers.py',
    '_base_/schedules/sgd_30e.py', '_base_/runtime.py'
]
optim_wrapper = dict(optimizer=dict(lr=0.001))
