"""Study A, table 3: MobileNetV3-large at the learning rate of table 2's best row.

python tools/train.py configs/mobilenetv3_lr0.001.py
"""
_base_ = [
    '_base_/models/mobilenetv3.py', '_base_/datasets/flowers.py',
    '_base_/schedules/sgd_30e.py', '_base_/runtime.py'
]
optim_wrapper = dict(optimizer=dict(lr=0.001))
