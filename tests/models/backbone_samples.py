"""Backbones of every row of the table of stages, and classifiers around them, with random values.

A new row joins BACKBONES: all tests of stages and trunks then hold it to the same.
"""

from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import pytest
import torch
from mmpretrain.models import build_classifier
from mmpretrain.models.backbones import (
    VGG,
    DenseNet,
    MobileNetV3,
    RegNet,
    ResNeSt,
    ResNet,
    ResNet_CIFAR,
    ResNetV1c,
    ResNetV1d,
    ResNeXt,
    SEResNet,
    SEResNeXt,
    TIMMBackbone,
)

from amlnn.models.images.cnn import PlainCNN
from amlnn.models.images.heads import DenseHead  # noqa: F401 - registers it
from amlnn.models.images.inception import InceptionV3Features

BACKBONES: dict[str, Callable[[], torch.nn.Module]] = {
    'ResNet18': lambda: ResNet(18),
    'ResNet18-drop-path': lambda: ResNet(18, drop_path_rate=0.5),
    'ResNet18-two-stages': lambda: ResNet(
        18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,)),
    'ResNet50': lambda: ResNet(50),
    'ResNetV1c': lambda: ResNetV1c(depth=50),
    'ResNetV1d': lambda: ResNetV1d(depth=50),
    'ResNet_CIFAR': lambda: ResNet_CIFAR(18),
    'ResNeXt': lambda: ResNeXt(50),
    'SEResNet': lambda: SEResNet(50),
    'SEResNeXt': lambda: SEResNeXt(50),
    'ResNeSt': lambda: ResNeSt(50),
    'RegNet': lambda: RegNet('regnetx_400mf'),
    'VGG11': lambda: VGG(11),
    'DenseNet-narrow': lambda: DenseNet(dict(growth_rate=8, depths=[2, 3, 2, 2], init_channels=16)),
    'MobileNetV3-small': lambda: MobileNetV3('small_050'),
    'ResNet18V2': lambda: TIMMBackbone('resnetv2_18'),
    'SimpleCNN': PlainCNN,
    'DeepCNN': lambda: PlainCNN((32, 64, 128, 256, 512), 2, 1, batch_norm=True),
    'ResNet101': lambda: ResNet(101),
    'ResNet50V2': lambda: TIMMBackbone('resnetv2_50'),
    'ResNet101V2': lambda: TIMMBackbone('resnetv2_101'),
    'DenseNet121': lambda: DenseNet('121'),
    'VGG16': lambda: VGG(16),
    'VGG16-BN': lambda: VGG(16, norm_cfg=dict(type='BN')),
    'VGG19': lambda: VGG(19),
    'VGG19-BN': lambda: VGG(19, norm_cfg=dict(type='BN')),
    'MobileNetV3-large': lambda: MobileNetV3('large'),
    'InceptionV3': InceptionV3Features,
    'InceptionV3 of timm': lambda: TIMMBackbone('inception_v3'),
    'InceptionV4': lambda: TIMMBackbone('inception_v4'),
    'EfficientNet-Lite0': lambda: TIMMBackbone('tf_efficientnet_lite0'),
}


class OneStep(torch.nn.Module):
    """A backbone that has no stages: one convolution."""

    def __init__(self):
        super().__init__()
        self.only = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return (self.only(x),)


# The backbones of the studies, whole.
STUDIED = ('ResNet50', 'ResNet101', 'ResNet50V2', 'ResNet101V2', 'ResNeXt', 'DenseNet121', 'VGG16',
           'VGG16-BN', 'VGG19', 'VGG19-BN', 'MobileNetV3-large', 'InceptionV3', 'InceptionV4')
SCRATCH = ('SimpleCNN', 'DeepCNN')  # the studies' networks without weights of another library
# They take 75 pixels and more.
_SIDES = {'InceptionV3': 96, 'InceptionV3 of timm': 96, 'InceptionV4': 96}

# The deep ones take seconds each.
SAMPLES = [pytest.param(name, marks=() if name in (
    'ResNet18', 'ResNet18-drop-path', 'ResNet18-two-stages', 'ResNetV1d', 'RegNet', 'VGG11',
    'DenseNet-narrow', 'MobileNetV3-small', 'ResNet18V2', 'SimpleCNN', 'DeepCNN')
    else pytest.mark.slow) for name in BACKBONES]


def sample(name: str) -> torch.nn.Module:
    """A backbone in eval mode whose batch norms have statistics and weights of their own."""
    torch.manual_seed(0)
    backbone = scrambled(BACKBONES[name]())
    backbone.eval()  # several backbones of MMPretrain return None from it
    return backbone


def structure(name: str) -> torch.nn.Module:
    """A backbone without values: its modules and shapes, in no time."""
    # MMPretrain reads the steps of a linspace as numbers, which a device without values has not.
    steps = partial(torch.linspace, device='cpu')
    with torch.device('meta'), patch('torch.linspace', steps):
        backbone = BACKBONES[name]()
    backbone.eval()
    return backbone


def side_of(name: str) -> int:
    """Pixels of images that are small for a backbone, and large enough."""
    return _SIDES.get(name, 48)


def scrambled(module: torch.nn.Module) -> torch.nn.Module:
    """Batch norms as after training; those of a fresh model are the identity."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d) and layer.running_mean is not None:
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.normal_(layer.bias, 0, 0.2)
    return module


def classifier(backbone: dict | torch.nn.Module | None = None, neck: str | dict | None = 'gap',
               kind: str = 'ImageClassifier', classes: int = 3, **rest) -> torch.nn.Module:
    """A classifier of ResNet18, or of another backbone, with random batch norms."""
    torch.manual_seed(0)
    section = dict(type='ResNet', depth=18) if backbone is None else backbone
    model = build_classifier(dict(
        type=kind, backbone=section, head=dict(
            type='LinearClsHead', num_classes=classes, in_channels=512,
            loss=dict(type='CrossEntropyLoss')),
        neck=dict(type='GlobalAveragePooling') if neck == 'gap' else neck, **rest))
    channels = channels_of(model.backbone)
    if isinstance(neck, str) and channels != 512:
        model.head.fc = torch.nn.Linear(channels, classes)
    return scrambled(model).eval()


def channels_of(backbone: torch.nn.Module) -> int:
    """Of the feature map that a backbone gives."""
    inner = getattr(backbone, 'timm_model', None)
    if inner is not None:
        return inner.num_features
    if isinstance(backbone, DenseNet):
        return backbone.transitions[-1][0].num_features
    return getattr(backbone, 'feat_dim', 512)


def images(count: int = 4, side: int = 48, seed: int = 1) -> torch.Tensor:
    """Noise, [B, 3, H, W]."""
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))
