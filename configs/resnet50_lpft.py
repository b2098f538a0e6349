"""ResNet50 on flowers: the head fits the features first, then the stages open from the last on.

Linear probing, then fine-tuning (Kumar et al., ICLR 2022): the head begins with ridge regression on
the features of the frozen backbone, trains alone, and finds stages opened at the given epochs, whose
rate is the lower, the further they lie from it.

python tools/train.py configs/resnet50_lpft.py
"""
_base_ = 'resnet50_baseline.py'
model = dict(
    frozen_stages='all',
    head_start='probe',
    unfreeze=[
        dict(epoch=6, frozen_stages=3),
        dict(epoch=14, frozen_stages=2),
        dict(epoch=22, frozen_stages=-1),
    ])
optim_wrapper = dict(
    constructor='LearningRateDecayOptimWrapperConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.85))
