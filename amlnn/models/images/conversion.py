"""Names of torchvision's and timm's weights, brought to those of MMPretrain's backbones.

A backbone whose tensors are called otherwise than in the libraries' files joins by one row of
`_CONVERSIONS`: the name of its class and a function that makes, for a backbone of that class, the
function from a name in the file to the backbone's. A name that is no such library's stays as it is:
the backbone's own files load too. ResNet, ResNeXt and InceptionV3 need no row.
"""

import re
from collections.abc import Callable, Mapping

from torch import Tensor, nn

__all__ = ['convert']

_Rename = Callable[[str], str]


def convert(tensors: Mapping[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """Tensors of a file under the names that a backbone's own tensors have.

    Args:
        tensors: As in the file; a leading 'backbone.' is taken off.
        backbone: Whose names are wanted. What it has no place for, such as a head, stays.

    >>> import torch
    >>> from mmpretrain.models.backbones import VGG
    >>> list(convert({'features.3.bias': torch.zeros(128)}, VGG(11)))
    ['features.2.conv.bias']
    """
    # Networks of timm's and torchvision's, taken whole, have the same class names and their own.
    row = next((_CONVERSIONS[base.__name__] for base in type(backbone).__mro__
                if base.__name__ in _CONVERSIONS
                and not base.__module__.startswith(('timm.', 'torchvision.'))), None)
    rename = row(backbone) if row else lambda name: name
    return {rename(name.removeprefix('backbone.')): tensor for name, tensor in tensors.items()}


def _vgg(backbone: nn.Module) -> _Rename:
    # torchvision counts convolution, norm, activation and pooling one by one; MMPretrain has the
    # first three in one module.
    modules: dict[int, str] = {}
    position = 0
    for index, layer in enumerate(backbone.features):
        parts = ['pool'] if isinstance(layer, nn.MaxPool2d) else \
            ['conv', 'bn', 'activate'] if layer.with_norm else ['conv', 'activate']
        for part in parts:
            modules[position] = f'features.{index}.{part}'
            position += 1

    def rename(name: str) -> str:
        found = re.fullmatch(r'features\.(\d+)\.([a-z_]+)', name)
        place = modules.get(int(found[1])) if found else None
        return f'{place}.{found[2]}' if place else name

    return rename


def _densenet(backbone: nn.Module) -> _Rename:
    last = len(backbone.transitions) - 1

    def rename(name: str) -> str:
        name = name.removeprefix('features.')
        name = re.sub(r'^conv0\.', 'stem.0.', name)
        name = re.sub(r'^norm0\.', 'stem.1.', name)
        name = re.sub(r'^norm5\.', f'transitions.{last}.0.', name)
        # The files that torchvision publishes have `norm.1` where its network has `norm1`.
        name = re.sub(r'^denseblock(\d+)\.denselayer(\d+)\.(norm|conv)\.?([12])\.',
                      lambda found: f'stages.{int(found[1]) - 1}.block.{int(found[2]) - 1}.'
                      f'{found[3]}{found[4]}.', name)
        return re.sub(r'^transition(\d+)\.',
                      lambda found: f'transitions.{int(found[1]) - 1}.', name)

    return rename


def _mobilenet_v3(backbone: nn.Module) -> _Rename:
    modules: dict[str, str] = {}
    for index, layer in enumerate(backbone.layers):
        block = backbone.get_submodule(layer)
        if not hasattr(block, 'depthwise_conv'):
            modules |= _convolution(f'features.{index}', layer)
            continue
        # torchvision numbers the parts that a block has; the first may be left out, and the third.
        parts = [part for part in ('expand_conv', 'depthwise_conv', 'se', 'linear_conv')
                 if hasattr(block, part)]
        for number, part in enumerate(parts):
            theirs, ours = f'features.{index}.block.{number}', f'{layer}.{part}'
            modules |= _convolution(theirs, ours) if part != 'se' else {
                f'{theirs}.fc1': f'{ours}.conv1.conv', f'{theirs}.fc2': f'{ours}.conv2.conv'}

    def rename(name: str) -> str:
        module, _, tensor = name.rpartition('.')
        return f'{modules[module]}.{tensor}' if module in modules else name

    return rename


def _convolution(theirs: str, ours: str) -> dict[str, str]:
    return {f'{theirs}.0': f'{ours}.conv', f'{theirs}.1': f'{ours}.bn'}


def _timm(backbone: nn.Module) -> _Rename:
    return lambda name: name if name.startswith('timm_model.') else f'timm_model.{name}'


_CONVERSIONS: dict[str, Callable[[nn.Module], _Rename]] = {
    'DenseNet': _densenet,
    'MobileNetV3': _mobilenet_v3,
    'TIMMBackbone': _timm,
    'VGG': _vgg,
}
