"""Quickstart: the digits 5 to 9, nothing frozen. Start from the source: add --pretrained BEST.PTH.

python tools/train.py configs/quickstart/digits_frozen0.py
"""
_base_ = 'digits_source.py'
model = dict(frozen_stages=-1)
optim_wrapper = dict(optimizer=dict(lr=0.02))
train_dataloader = dict(dataset=dict(data_root='data/digits_5_to_9'))
val_dataloader = dict(dataset=dict(data_root='data/digits_5_to_9'))
test_dataloader = dict(dataset=dict(data_root='data/digits_5_to_9'))
