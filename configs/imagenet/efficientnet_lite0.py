"""EfficientNet-Lite0 with its 1000 ImageNet classes; no network but the package index is needed.

The five best classes of photographs:

python tools/predict.py configs/imagenet/efficientnet_lite0.py pretrained photos/ --topk 5

On ImageNet itself, where it is at hand:

python tools/test.py configs/imagenet/efficientnet_lite0.py pretrained
"""
_base_ = [
    '../_base_/models/efficientnet_lite0.py', '../_base_/datasets/imagenet.py',
    '../_base_/schedules/sgd_30e.py', '../_base_/runtime.py'
]
model = dict(pretrained_head=True)
