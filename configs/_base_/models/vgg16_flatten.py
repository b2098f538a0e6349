"""VGG16 with ImageNet weights, its last feature map flattened, and one dense layer.

At 224 pixels the map is 512 x 7 x 7 = 25088 features. For another image size set head.in_channels.
"""
_base_ = 'vgg16.py'
model = dict(neck=None, head=dict(type='DenseHead', in_channels=25088))
