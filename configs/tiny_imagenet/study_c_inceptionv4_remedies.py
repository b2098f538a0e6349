"""Study C's own remedies: InceptionV4 on Tiny-ImageNet.

More epochs and patience, stronger augmentation, two of three stages not frozen, half of the
features dropped; Adam at 0.0001, for what is pretrained shall not be lost.

python tools/train.py configs/tiny_imagenet/study_c_inceptionv4_remedies.py
"""
_base_ = 'study_c_inceptionv4.py'
model = dict(
    frozen_stages=1,
    head=dict(_delete_=True, type='DenseHead', in_channels=1536, dropout=0.5, topk=(1, 5)))
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='RandomResizedCrop', scale=299, crop_ratio_range=(0.5, 1.0), backend='cv2'),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, backend='cv2'),
            dict(type='PackInputs'),
        ]))
optim_wrapper = dict(optimizer=dict(lr=0.0001))
train_cfg = dict(max_epochs=60)
default_hooks = dict(early_stopping=dict(patience=10))
