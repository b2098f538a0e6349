"""Every backbone as an ordered list of stages: the table behind `model.frozen_stages`.

A backbone joins by one row of `_TABLE`: the name of its class and a function that lists its stages.
The rows of base classes count for their subclasses. Each stage names child modules in the order in
which the forward applies them; every parameter and buffer of the backbone must lie in exactly one
stage, and what lies between the last stage and the head belongs to the last stage.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from amlnn.errors import ConfigError

__all__ = ['STEM', 'Stage', 'list_stages', 'supported_backbones']

STEM = 'stem'


@dataclass(frozen=True)
class Stage:
    """A run of child modules of a backbone that is frozen as one."""

    name: str
    modules: tuple[str, ...]

    def holds(self, parameter: str) -> bool:
        """Whether a parameter or module, named from the backbone, belongs to this stage."""
        return any(parameter == name or parameter.startswith(name + '.') for name in self.modules)


def _resnet(backbone: nn.Module) -> list[Stage]:
    # deep_stem (ResNetV1c, V1d) keeps its three convolutions in one child; CIFAR's has no pooling.
    stem = ('stem',) if getattr(backbone, 'deep_stem', False) else ('conv1', backbone.norm1_name)
    stem = (*stem, *(() if 'stem' in stem else ('relu',)),
            *(('maxpool',) if hasattr(backbone, 'maxpool') else ()))
    return [Stage(STEM, stem), *(Stage(name, (name,)) for name in backbone.res_layers)]


_TABLE: dict[str, Callable[[nn.Module], list[Stage]]] = {
    'ResNet': _resnet,
}


def supported_backbones() -> list[str]:
    """Names of the classes in the table."""
    return sorted(_TABLE)


def list_stages(backbone: nn.Module) -> list[Stage] | None:
    """The stages of a backbone in order, the stem (if it has one) first, or None if it has no row.

    Raises:
        ConfigError: the row does not cover the backbone (a variant the table does not know).

    >>> from mmpretrain.models.backbones import ResNet
    >>> [stage.name for stage in list_stages(ResNet(18))]
    ['stem', 'layer1', 'layer2', 'layer3', 'layer4']
    """
    row = next((_TABLE[base.__name__] for base in type(backbone).__mro__
                if base.__name__ in _TABLE), None)
    if row is None:
        return None
    stages = row(backbone)
    for name in backbone.state_dict():
        owners = [stage.name for stage in stages if stage.holds(name)]
        if len(owners) != 1:
            raise ConfigError(
                f'`{type(backbone).__name__}` has the tensor `{name}` in the stages {owners}, not '
                'in exactly one', hint="use frozen_stages=-1 or 'all', which need no stages")
    return stages
