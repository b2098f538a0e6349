"""CIFAR-100 in three parts: 50 of the 500 training images of each class are `val`.

python data_preprocess.py --download cifar100
"""
_base_ = 'cifar100.py'
train_dataloader = dict(dataset=dict(holdout=50))
val_dataloader = dict(dataset=dict(holdout=50))
test_dataloader = dict(dataset=dict(holdout=50))
