"""Study D1's question to EfficientNet-Lite2: its 1000 ImageNet classes on Tiny-ImageNet, resized.

Not fine-tuned. `accuracy` counts the best of all 1000 classes, `present` the best of the 200 that
occur.

python tools/test.py configs/tiny_imagenet/study_d_efficientnet_lite2_1000.py pretrained
"""
_base_ = [
    '../_base_/models/efficientnet_lite2.py', '../_base_/datasets/tiny_imagenet_cubic_260.py',
    '../_base_/schedules/adam_30e.py', '../_base_/runtime.py'
]
model = dict(pretrained_head=True)
train_dataloader = dict(dataset=dict(labels='imagenet-1k'))
val_dataloader = dict(dataset=dict(labels='imagenet-1k'))
test_dataloader = dict(dataset=dict(labels='imagenet-1k'))
val_evaluator = [dict(type='Accuracy', topk=(1, 5)), dict(type='PresentClassAccuracy', topk=(1, 5))]
test_evaluator = val_evaluator
