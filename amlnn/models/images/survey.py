"""All backbones of MMPretrain and all families of timm: their stages, and what is not possible."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from amlnn.errors import ConfigError
from amlnn.models.images.families import SMALLEST
from amlnn.models.images.probing import image_of, noise
from amlnn.models.images.stages import list_stages, why_no_stages, why_not_composed
from amlnn.models.images.timm_backbone import TIMMBackbone

__all__ = ['Surveyed', 'build_backbone', 'mmpretrain_names', 'survey', 'timm_names']

# Arguments of classes that ask for some, or whose default is not their smallest network. What is
# not here is built without arguments.
_ARGUMENTS: dict[str, dict] = {
    'BEiTViT': dict(arch='base'),
    'ConvMixer': dict(arch='768/32'),
    'Conformer': dict(arch='tiny'),
    'CSPDarkNet': dict(depth=53),
    'CSPResNet': dict(depth=50),
    'CSPResNeXt': dict(depth=50),
    'DenseNet': dict(arch='121'),
    'EdgeNeXt': dict(arch='xxsmall'),
    'HiViT': dict(arch='tiny'),
    'HorNet': dict(arch='tiny'),
    'LeViT': dict(arch='128s'),
    'MViT': dict(arch='tiny'),
    'MlpMixer': dict(arch='s'),
    'MobileOne': dict(arch='s0'),
    'MobileViT': dict(arch='xx_small'),
    'PCPVT': dict(arch='small'),
    'PyramidVig': dict(arch='tiny'),
    'RegNet': dict(arch='regnetx_400mf'),
    'RepLKNet': dict(arch='31B'),
    'RepMLPNet': dict(arch='base'),
    'RepVGG': dict(arch='A0'),
    'ResNet': dict(depth=18),
    'ResNeSt': dict(depth=50),
    'ResNeXt': dict(depth=50),
    'ResNetV1c': dict(depth=50),
    'ResNetV1d': dict(depth=50),
    'ResNet_CIFAR': dict(depth=18),
    'Res2Net': dict(depth=50),
    'SEResNet': dict(depth=50),
    'SEResNeXt': dict(depth=50),
    'SVT': dict(arch='small'),
    'SparseResNet': dict(depth=50, norm_cfg=dict(type='SparseBatchNorm2d')),
    'TinyViT': dict(arch='5m'),
    'VGG': dict(depth=11),
    'Vig': dict(arch='tiny'),
    'VisionTransformer': dict(arch='deit-t'),
    'XCiT': dict(patch_size=16, embed_dims=192, depth=12, num_heads=4, mlp_ratio=4),
}
# No networks of their own: a base of others, and the wrapper around timm's.
_OTHERS = ('CSPNet', 'TIMMBackbone')


@dataclass(frozen=True)
class Surveyed:
    """What is known of one backbone."""

    name: str
    """A class of MMPretrain, or a network of timm."""
    family: str
    """The module of timm, or ''."""
    image: tuple[int, ...] | None = None
    """The shape of an image that it takes, (C, H, W)."""
    stages: tuple[tuple[str, int], ...] = ()
    """Name and parameters."""
    parameters: int = 0
    reason: str | None = None
    """Why it cannot be split into its stages; None where it can."""


def mmpretrain_names() -> list[str]:
    """The classes of MMPretrain's backbones."""
    from mmpretrain.models import backbones
    return sorted(set(backbones.__all__) - set(_OTHERS))


def timm_names() -> dict[str, str]:
    """The smallest network of each module of timm's, by module."""
    return dict(SMALLEST)


def build_backbone(name: str, **arguments) -> nn.Module:
    """A backbone with random weights.

    Args:
        name: A class of MMPretrain, or a network of timm.
        arguments: Of it, in the place of those of its smallest network.

    Raises:
        ConfigError: neither library knows it.
    """
    from mmpretrain.models import backbones
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of layers whose bias a batch norm makes superfluous
        if name in backbones.__all__:
            return getattr(backbones, name)(**(arguments or _ARGUMENTS.get(name, {})))
        import timm
        if not timm.is_model(name):
            raise ConfigError(f'there is no backbone `{name}`, in MMPretrain or in timm',
                              hint='python tools/backbones.py lists those of MMPretrain and a '
                              "network of each of timm's families")
        return TIMMBackbone(name, **arguments)


def survey(names: list[str] | None = None) -> Iterator[Surveyed]:
    """Look at backbones, one after the other; only one is in memory at a time.

    Args:
        names: Of backbones; if None all of MMPretrain's, and a network of each family of timm's.
    """
    families = {name: family for family, name in timm_names().items()}
    for name in names or [*mmpretrain_names(), *families]:
        yield _look_at(name, families.get(name, ''))


def _look_at(name: str, family: str) -> Surveyed:
    try:
        backbone = build_backbone(name)
    except ConfigError:
        raise
    except Exception as error:  # whatever a library raises that lacks a part of itself
        return Surveyed(name, family, reason=f'cannot be built: {_line(error)}')
    parameters = sum(each.numel() for each in backbone.parameters())
    image = image_of(backbone)
    stages = list_stages(backbone)
    if stages is None:
        return Surveyed(name, family, image, parameters=parameters,
                        reason=f"{why_no_stages(backbone)}; frozen_stages takes -1 and 'all'")
    rows = [(stage.name, sum(each.numel() for key, each in backbone.named_parameters()
                             if stage.holds(key))) for stage in stages]
    reason = why_not_composed(backbone, noise(backbone, 1, image))
    return Surveyed(name, family, image, tuple(rows), parameters, reason)


def _line(error: Exception) -> str:
    return f'{type(error).__name__}: {" ".join(str(error).split())[:120]}'
