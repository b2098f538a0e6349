"""Study E: CIFAR-100 with VGG16, frozen, dropout and a dense layer.

python tools/train.py configs/cifar100/study_e_vgg16_frozen.py
"""
_base_ = 'study_e_vgg16.py'
model = dict(frozen_stages='all')
optim_wrapper = dict(optimizer=dict(lr=0.001))
