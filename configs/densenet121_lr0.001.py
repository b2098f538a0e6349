"""Study A, table 3: DenseNet121 at the learning rate of table 2's best row.

python tools/train.py configs/densenet121_lr0.001.py
"""
_base_ = [
    '_base_/models/densenet121.py', '_base_/datasets/flowers.py',
    '_base_/schedules/sgd_30e.py', '_base_/runtime.py'
]
optim_wrapper = dict(optimizer=dict(lr=0.001))
