"""What a model's section leaves out because it follows from the backbone: features and pooling."""

import copy
import inspect
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.models.images.calls import in_eval_mode
from amlnn.models.images.probing import image_of, noise
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.registry import MODELS

__all__ = ['follows_from_backbone', 'pooling_of']


def follows_from_backbone(section: dict, build: Callable[[dict], nn.Module],
                          size: tuple[int, int] | None = None) -> dict:
    """What a model's section leaves out: `head.in_channels`, and then the neck too.

    The backbone is built and given one image of noise, if anything is left out.

    Args:
        section: Of the model; not changed.
        build: Builds a section.
        size: Height and width of the images; if None one that the backbone takes.

    Returns:
        Keys of the section with their values: 'head', and 'neck' where it is not typed. Empty where
        nothing is left out.

    Raises:
        ConfigError: the backbone gives several tensors, or takes no image of that size.
    """
    head = section.get('head')
    if not isinstance(section.get('backbone'), dict) or not isinstance(head, dict) \
            or not _asks_for_channels(head):
        return {}
    backbone = build(copy.deepcopy(section['backbone']))
    features = _features_of(backbone, size)
    found = {} if 'neck' in section else {'neck': pooling_of(backbone, features)}
    neck = {**section, **found}['neck']
    if neck is not None:
        pooling = build(copy.deepcopy(neck)) if isinstance(neck, dict) else neck
        with torch.no_grad(), in_eval_mode(pooling):
            features = pooling((features,))[-1]
    flat = head['type'] == 'DenseHead'
    channels = math.prod(features.shape[1:]) if flat else features.shape[1]
    return {**found, 'head': {**head, 'in_channels': channels}}


def _asks_for_channels(head: dict) -> bool:
    """Whether a head needs `in_channels` and has none."""
    kind = MODELS.get(head['type']) if isinstance(head.get('type'), str) else None
    if kind is None or 'in_channels' in head:
        return False
    parameter = inspect.signature(kind).parameters.get('in_channels')
    return parameter is not None and parameter.default is parameter.empty


def _features_of(backbone: nn.Module, size: tuple[int, int] | None) -> Tensor:
    image = image_of(backbone)
    kind = type(backbone).__name__
    if image is None:
        raise ConfigError(
            f'`model.head.in_channels` is not set, and no image was found that {kind} takes',
            hint='set model.neck and model.head.in_channels')
    if size is not None:
        image = (image[0], *size)
    try:
        with torch.no_grad(), in_eval_mode(backbone):
            outputs = backbone(noise(backbone, 1, image))
    except Exception as error:
        taken = ' x '.join(map(str, image_of(backbone)[1:]))
        raise ConfigError(
            f'{kind} takes no images of {" x ".join(map(str, image[1:]))} pixels: '
            f'{" ".join(str(error).split())[:120]}',
            hint=f"it takes {taken}: set the sizes of the pipelines, or 'model' in their place"
        ) from error
    last = outputs[-1] if isinstance(outputs, tuple | list) else outputs
    if not isinstance(last, Tensor):
        raise ConfigError(
            f'`model.head.in_channels` is not set, and {kind} gives several tensors',
            hint="set model.neck and model.head, as MMPretrain's own config of it does")
    return last


def pooling_of(backbone: nn.Module, features: Tensor) -> dict | None:
    """The neck that makes vectors of a backbone's features; None where they are vectors.

    Args:
        backbone: Says what of a network of timm's is channels, and which tokens are no places.
        features: Of one image.
    """
    network = getattr(backbone, 'timm_model', None)
    if features.ndim == 3:
        first = getattr(network or backbone, 'num_prefix_tokens', 0) or getattr(
            backbone, 'num_extra_tokens', 0)
        return dict(type='FeaturePooling', take='first' if first else 'mean')
    if features.ndim != 4:
        return None
    channels = getattr(network, 'num_features', None)
    _, first, *_, last = features.shape
    if channels == last != first:
        return dict(type='FeaturePooling', take='mean')
    return dict(type='GlobalAveragePooling')
