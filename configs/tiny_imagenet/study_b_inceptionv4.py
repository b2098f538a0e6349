"""Study B: InceptionV4 with its 1000 ImageNet classes on Tiny-ImageNet, not fine-tuned.

Each of the 200 classes is one of the 1000. `accuracy` counts the best of all 1000 classes,
`present` the best of the 200.

python tools/test.py configs/tiny_imagenet/study_b_inceptionv4.py pretrained
"""
_base_ = [
    '../_base_/models/inceptionv4.py', '../_base_/datasets/tiny_imagenet_299.py',
    '../_base_/schedules/adam_30e.py', '../_base_/runtime.py'
]
model = dict(pretrained_head=True)
train_dataloader = dict(dataset=dict(labels='imagenet-1k'))
val_dataloader = dict(dataset=dict(labels='imagenet-1k'))
test_dataloader = dict(dataset=dict(labels='imagenet-1k'))
val_evaluator = [dict(type='Accuracy', topk=(1, 5)), dict(type='PresentClassAccuracy', topk=(1, 5))]
test_evaluator = val_evaluator
