"""What tells the output of one trunk from that of another."""

import hashlib
import sys

import torch
from torch import nn

import amlnn
from amlnn.models.images.stages import Stage, list_stages
from amlnn.models.images.trunk_body import is_channels_last, takes_neck
from amlnn.quiet import quiet_imports

with quiet_imports():
    import mmcv
    import mmpretrain

__all__ = ['trunk_key']


def trunk_key(model: nn.Module, split: int, precision: str, fold: bool) -> str:
    """A hash that changes with anything that a Trunk's output for an image depends on.

    Args:
        model: The classifier; its data preprocessor is not part of the key.
        split: As for the Trunk.
        precision: As for the Trunk.
        fold: As for the Trunk.

    Returns:
        SHA-256 over weights, buffers, structure, arithmetic and library versions, 64 digits.
    """
    backbone = model.backbone
    stages = list_stages(backbone)
    device = next(backbone.parameters()).device.type
    digest = hashlib.sha256()

    def add(*values) -> None:
        digest.update(repr(values).encode())

    add(amlnn.__version__, str(torch.__version__), mmcv.__version__, mmpretrain.__version__)
    add(precision, fold, device, torch.get_float32_matmul_precision(),
        torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]  # no stub
        is_channels_last(backbone))
    add(takes_neck(model, split, len(stages)), _structure(backbone), _versions(backbone))
    for stage in stages[:split]:
        add(stage.name, stage.modules, getattr(stage.forward, '__qualname__', None))
        if stage.span is not None:
            add(stage.span, _structures_around(backbone, stage))
        for path, module in stage.named_modules(backbone):
            add(path, module.extra_repr(), _structure(module))
        for path, tensor in backbone.state_dict(keep_vars=True).items():
            if stage.holds(path):
                add(path, str(tensor.dtype), tuple(tensor.shape))
                values = tensor.detach().cpu().contiguous()
                digest.update(values.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _versions(backbone: nn.Module) -> list:
    """Of the packages whose modules it has, timm say, as far as they tell them."""
    packages = {type(module).__module__.partition('.')[0] for module in backbone.modules()}
    return sorted((name, str(getattr(sys.modules.get(name), '__version__', '')))
                  for name in packages)


def _structures_around(backbone: nn.Module, stage: Stage) -> list:
    """Of the modules that hold the stage's and have a forward of their own."""
    around = {name[:end] for name in stage.modules for end, sign in enumerate(name) if sign == '.'}
    return [(name, _structure(backbone.get_submodule(name))) for name in sorted(around)]


def _structure(module: nn.Module) -> tuple:
    """Class and plain attributes of a module, such as strides and eps, without its children."""
    plain = {name: value for name, value in vars(module).items()
             if not name.startswith('_') and name not in ('training', 'init_cfg')
             and _is_plain(value)}
    kind = type(module)
    return kind.__module__, kind.__qualname__, sorted(plain.items())


def _is_plain(value) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(each) for each in value)
    if isinstance(value, dict):
        return all(_is_plain(each) for each in (*value, *value.values()))
    return value is None or isinstance(value, bool | int | float | str)
