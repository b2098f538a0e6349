"""Study D1: ResNet50 with its 1000 ImageNet classes on Tiny-ImageNet, not fine-tuned; resized.

`accuracy` counts the best of all 1000 classes, `present` the best of the 200 that occur. The ten
best classes of an image, with wnid, name and score:

python tools/predict.py configs/tiny_imagenet/study_d_resnet50_1000_resized.py pretrained IMAGE

python tools/test.py configs/tiny_imagenet/study_d_resnet50_1000_resized.py pretrained
"""
_base_ = [
    '../_base_/models/resnet50.py', '../_base_/datasets/tiny_imagenet.py',
    '../_base_/schedules/adam_30e.py', '../_base_/runtime.py'
]
model = dict(pretrained_head=True)
train_dataloader = dict(dataset=dict(labels='imagenet-1k'))
val_dataloader = dict(dataset=dict(labels='imagenet-1k'))
test_dataloader = dict(dataset=dict(labels='imagenet-1k'))
val_evaluator = [dict(type='Accuracy', topk=(1, 5)), dict(type='PresentClassAccuracy', topk=(1, 5))]
test_evaluator = val_evaluator
