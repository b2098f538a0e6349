"""Study C: VGG19 on Tiny-ImageNet, all of it frozen, early stopping.

50 training images of each class are the validation part, and the images of val/, labelled by
val_annotations.txt, the test part. The report names neither optimizer nor patience: Adam at 0.001
and 5 epochs here. With fewer training images: holdout=10 in all three data loaders.

python tools/train.py configs/tiny_imagenet/study_c_vgg19.py
"""
_base_ = [
    '../_base_/models/vgg19.py', '../_base_/datasets/tiny_imagenet.py',
    '../_base_/schedules/adam_30e.py', '../_base_/runtime_early_stopping.py'
]
model = dict(frozen_stages='all')
train_dataloader = dict(dataset=dict(holdout=50))
val_dataloader = dict(dataset=dict(holdout=50))
test_dataloader = dict(dataset=dict(holdout=50))
default_hooks = dict(early_stopping=dict(patience=5))
