"""Study E: CIFAR-100 with VGG16, dropout and a dense layer, everything trained.

The report contradicts itself on whether VGG16 was frozen: study_e_vgg16_frozen.py is the other
reading. It does not name the learning rate: 0.0001 here, for at 0.001 a VGG without batch norm
loses what it knew.

python tools/train.py configs/cifar100/study_e_vgg16.py
"""
_base_ = [
    '../_base_/models/vgg16.py', '../_base_/datasets/cifar100_three_parts.py',
    '../_base_/schedules/adam_50e.py', '../_base_/runtime_early_stopping.py'
]
model = dict(
    head=dict(_delete_=True, type='DenseHead', in_channels=512, dropout=0.5, topk=(1, 5)))
optim_wrapper = dict(optimizer=dict(lr=0.0001))
