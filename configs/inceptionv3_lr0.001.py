"""Study A, table 3: InceptionV3 at the learning rate of table 2's best row.

python tools/train.py configs/inceptionv3_lr0.001.py
"""
_base_ = [
    '_base_/models/inceptionv3.py', '_base_/datasets/flowers.py',
    '_base_/schedules/sgd_30e.py', '_base_/runtime.py'
]
optim_wrapper = dict(optimizer=dict(lr=0.001))
