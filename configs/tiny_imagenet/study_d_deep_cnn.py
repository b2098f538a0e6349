"""Study D3: a deep CNN with batch norm on Tiny-ImageNet from scratch, 50 epochs.

With augmentation, Adam from 0.002 falling. The report does not list its layers.

python tools/train.py configs/tiny_imagenet/study_d_deep_cnn.py
"""
_base_ = [
    '../_base_/models/deep_cnn.py', '../_base_/datasets/tiny_imagenet_64.py',
    '../_base_/schedules/adam_exponential_50e.py', '../_base_/runtime.py'
]
train_dataloader = dict(batch_size=128)
