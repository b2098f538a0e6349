"""Study D2: ResNet50, all but its last 6 layers frozen, on Tiny-ImageNet, resized; Adam.

The last 6 layers are one convolution, its batch norm and what follows. 20,000 training images, as
many of each class. Two dense layers on top; the report does not name the first one's size: 256
here.

python tools/train.py configs/tiny_imagenet/study_d_resnet50_last6_resized.py
"""
_base_ = [
    '../_base_/models/resnet50.py', '../_base_/datasets/tiny_imagenet.py',
    '../_base_/schedules/adam_30e.py', '../_base_/runtime.py'
]
model = dict(
    frozen_stages='all',
    trainable=('layer4.2.conv3', 'layer4.2.bn3'),
    head=dict(
        _delete_=True, type='DenseHead', in_channels=2048, hidden_channels=(256, ), topk=(1, 5)))
train_dataloader = dict(batch_size=500, dataset=dict(subset=20000))
