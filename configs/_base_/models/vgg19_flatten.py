"""VGG19 with ImageNet weights, its last feature map flattened, and one dense layer."""
_base_ = 'vgg16_flatten.py'
model = dict(backbone=dict(depth=19), pretrained='torchvision://vgg19')
