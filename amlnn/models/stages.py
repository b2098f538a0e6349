"""Every backbone as an ordered list of stages: the table behind `model.frozen_stages`.

A backbone joins by one row of `_TABLE`: the name of its class and a function that lists its stages.
The rows of base classes count for their subclasses. Each stage names child modules in the order in
which the forward applies them; every parameter and buffer of the backbone must lie in exactly one
stage, and what lies between the last stage and the head belongs to the last stage. Where a stage is
no plain sequence of its modules, it brings its own forward. Run one after the other, the stages are
the backbone's own forward to the bit; `why_not_composed` puts that to the proof.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError

__all__ = ['STEM', 'Stage', 'list_stages', 'run_stages', 'supported_backbones', 'why_not_composed']

STEM = 'stem'


@dataclass(frozen=True)
class Stage:
    """A run of child modules of a backbone that is frozen as one."""

    name: str
    modules: tuple[str, ...]
    """Every module that the stage applies, named from the backbone, in order."""
    forward: Callable[[nn.Module, Tensor], Tensor] | None = None
    """Called with backbone and input, where the stage is no plain sequence of its modules."""

    def holds(self, parameter: str) -> bool:
        """Whether a parameter or module, named from the backbone, belongs to this stage."""
        return any(parameter == name or parameter.startswith(name + '.') for name in self.modules)

    def run(self, backbone: nn.Module, x: Tensor) -> Tensor:
        """The stage's output for the output of the stage before it."""
        if self.forward is not None:
            return self.forward(backbone, x)
        for name in self.modules:
            x = backbone.get_submodule(name)(x)
        return x


def _resnet(backbone: nn.Module) -> list[Stage]:
    # deep_stem (ResNetV1c, V1d) keeps its three convolutions in one child; CIFAR's has no pooling.
    stem = ('stem',) if getattr(backbone, 'deep_stem', False) else ('conv1', backbone.norm1_name)
    stem = (*stem, *(() if 'stem' in stem else ('relu',)),
            *(('maxpool',) if hasattr(backbone, 'maxpool') else ()))
    return [Stage(STEM, stem), *(Stage(name, (name,)) for name in backbone.res_layers)]


_TABLE: dict[str, Callable[[nn.Module], list[Stage] | None]] = {
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
    stages = row(backbone) if row else None
    if stages is None:
        return None
    for name in backbone.state_dict():
        owners = [stage.name for stage in stages if stage.holds(name)]
        if len(owners) != 1:
            raise ConfigError(
                f'`{type(backbone).__name__}` has the tensor `{name}` in the stages {owners}, not '
                'in exactly one', hint="use frozen_stages=-1 or 'all', which need no stages")
    return stages


def run_stages(backbone: nn.Module, stages: Sequence[Stage], x: Tensor) -> Tensor:
    """Run stages that follow one another, such as the first ones or the last ones.

    Args:
        backbone: Whose modules are applied. Its own forward and its hooks are not called.
        stages: A slice of `list_stages(backbone)`.
        x: Images, [B, 3, H, W], for the first stage; else the output of the stage before.

    Returns:
        The last stage's output. After all stages the backbone's forward gives it as `(output,)`.
    """
    for stage in stages:
        x = stage.run(backbone, x)
    return x


@torch.no_grad()
def why_not_composed(backbone: nn.Module, image_BCHW: Tensor) -> str | None:
    """One line on why a backbone cannot be split into its stages, or None if it can.

    The backbone and its stages both run once, in eval mode, and must agree in every bit.

    Args:
        backbone: One with a row in the table; left as it was.
        image_BCHW: Any images of a size the backbone takes.
    """
    kind = type(backbone).__name__
    with _in_eval_mode(backbone):
        outputs = backbone(image_BCHW)
        if not isinstance(outputs, tuple) or len(outputs) != 1:
            count = len(outputs) if isinstance(outputs, tuple | list) else 'no tuple of'
            return f'{kind} returns {count} feature maps (out_indices); one can be split, the last'
        composed = run_stages(backbone, list_stages(backbone), image_BCHW)
    if not isinstance(outputs[0], Tensor) or not torch.equal(outputs[0], composed):
        indices = getattr(backbone, 'out_indices', None)
        place = f' (out_indices={indices})' if indices is not None else ''
        return f'the output of {kind}{place} is not that of its stages, run one after the other'
    return None


@contextmanager
def _in_eval_mode(module: nn.Module) -> Iterator[None]:
    # Not by eval() and train(), which several backbones override with effects of their own.
    modes = [(each, each.training) for each in module.modules()]
    try:
        for each, _ in modes:
            each.training = False
        yield
    finally:
        for each, mode in modes:
            each.training = mode
