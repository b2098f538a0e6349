"""Backbones of every row of the table of stages, and classifiers around them, with random values.

A new row joins BACKBONES: all tests of stages and trunks then hold it to the same.
"""

from collections.abc import Callable

import pytest
import torch
from mmpretrain.models import build_classifier
from mmpretrain.models.backbones import (
    RegNet,
    ResNeSt,
    ResNet,
    ResNet_CIFAR,
    ResNetV1c,
    ResNetV1d,
    ResNeXt,
    SEResNet,
    SEResNeXt,
)

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
}

# The deep ones take seconds each.
SAMPLES = [pytest.param(name, marks=() if name in (
    'ResNet18', 'ResNet18-drop-path', 'ResNet18-two-stages', 'ResNetV1d', 'RegNet')
    else pytest.mark.slow) for name in BACKBONES]


def sample(name: str) -> torch.nn.Module:
    """A backbone in eval mode whose batch norms have statistics and weights of their own."""
    torch.manual_seed(0)
    backbone = scrambled(BACKBONES[name]())
    backbone.eval()  # several backbones of MMPretrain return None from it
    return backbone


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
    channels = getattr(model.backbone, 'feat_dim', 512)
    if isinstance(neck, str) and channels != 512:
        model.head.fc = torch.nn.Linear(channels, classes)
    return scrambled(model).eval()


def images(count: int = 4, side: int = 48, seed: int = 1) -> torch.Tensor:
    """Noise, [B, 3, H, W]."""
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))
