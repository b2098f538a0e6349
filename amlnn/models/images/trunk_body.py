"""What a trunk is made of: a copy of the frozen stages, and images to try it on."""

# B batch, C channels, H height, W width

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.models.images.calls import set_mode
from amlnn.models.images.probing import image_of, noise
from amlnn.models.images.splicing import Absent, learn_size
from amlnn.models.images.stages import Stage, list_stages
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.models.necks import GlobalAveragePooling

__all__ = ['NORMS', 'LearningSizes', 'copy_of', 'is_channels_last', 'lower', 'probe_of',
           'takes_neck']

NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
_PROBE_SIDE = 96  # pixels; the least that every backbone with a row takes is 75


def probe_of(backbone: nn.Module, image_side: int | None) -> Tensor:
    """Two images of noise that a backbone takes."""
    channels, *size = image_of(backbone)
    if image_side is not None:
        size = [image_side, image_side]
    elif not any(stage.span is not None for stage in list_stages(backbone) or ()):
        size = [_PROBE_SIDE, _PROBE_SIDE]
    return noise(backbone, 2, (channels, *size))


class LearningSizes:
    """Lets a backbone learn of every size of images that its trunk is given.

    Args:
        backbone: Whose tail will go on from the features.
        begins: The module that it begins at.
    """

    def __init__(self, backbone: nn.Module, begins: Sequence[str]):
        self.backbone = backbone
        self.begins = begins
        self.known: set[tuple[int, ...]] = set()

    def __call__(self, images_BCHW: Tensor) -> None:
        image = tuple(images_BCHW.shape[1:])
        if image not in self.known:
            reason = learn_size(self.backbone, self.begins, image)
            if reason:
                size = ' x '.join(map(str, image[1:]))
                raise ConfigError(
                    f'there can be no trunk for images of {size} pixels: {reason}',
                    hint='set execution.trunk_cache=False')
            self.known.add(image)


def copy_of(backbone: nn.Module, kept: Sequence[Stage], left: Sequence[Stage]) -> nn.Module:
    """A copy of a backbone in eval mode, without the weights of the stages that are left out."""
    needed = {id(module) for stage in kept for _, module in stage.named_modules(backbone)}
    memo = {}
    for stage in left:
        if stage.span is None:
            memo.update({id(backbone.get_submodule(name)): nn.Identity() for name in stage.modules})
            continue
        # The forward goes on until the first of them is called, through the modules around it. What
        # has no weights stays: other methods than its forward may be called on the way.
        memo.update({id(module): Absent() for _, module in stage.named_modules(backbone)
                     if not module._modules and id(module) not in needed
                     and any(each is not None for each in module._parameters.values())})
    body = copy.deepcopy(backbone, memo)
    for module in body.modules():
        set_mode(module, False, inner=module is not body)
    return body.requires_grad_(False)


def lower(body: nn.Module, dtype: torch.dtype) -> None:
    """Weights to a dtype, but for batch norms, whose float32 statistics take any input."""
    for module in body.modules():
        if not isinstance(module, NORMS):
            for name, parameter in module.named_parameters(recurse=False):
                setattr(module, name, nn.Parameter(parameter.to(dtype), requires_grad=False))
            for name, buffer in module.named_buffers(recurse=False):
                if buffer.is_floating_point():
                    setattr(module, name, buffer.to(dtype))


def takes_neck(model: nn.Module, split: int, stage_count: int) -> bool:
    """Whether global average pooling belongs to the trunk of so many stages."""
    return split == stage_count and type(model.neck) is GlobalAveragePooling


def is_channels_last(backbone: nn.Module) -> bool:
    """Whether the weights of convolutions lie channels-last."""
    # A 1x1 kernel is in both layouts at once, and tells nothing.
    weights = (layer.weight for layer in backbone.modules() if isinstance(layer, nn.Conv2d))
    return any(weight.is_contiguous(memory_format=torch.channels_last)
               and not weight.is_contiguous() for weight in weights)
