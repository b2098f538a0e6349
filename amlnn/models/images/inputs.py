"""Size and scale of images, where a config leaves them to the model: the word 'model'."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from amlnn.errors import ConfigError
from amlnn.registry import FROM_MODEL, FROM_MODEL_KEYS

__all__ = ['Inputs', 'fill_inputs', 'inputs_of', 'scale_of_timm', 'size_of']

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Inputs:
    """What a network's weights were trained with, for pixels of 0 to 255, red first."""

    side: int = 224
    mean: tuple[float, ...] = _IMAGENET_MEAN
    std: tuple[float, ...] = _IMAGENET_STD
    interpolation: str = 'bilinear'
    share: float = 0.875
    """Of the shorter edge that the central crop is in an evaluation."""


def inputs_of(model: dict) -> Inputs:
    """What a model's section implies for its images; ImageNet's usual where it says nothing.

    A network of timm's says it in timm's own data, others by the `img_size` that they are given.

    >>> inputs_of(dict(backbone=dict(type='TIMMBackbone', model_name='inception_v4'))).side
    299
    >>> inputs_of(dict(backbone=dict(type='VisionTransformer', img_size=384))).side
    384
    """
    backbone = model.get('backbone')
    backbone = backbone if isinstance(backbone, dict) else {}
    size = backbone.get('img_size')
    side = max(size) if isinstance(size, tuple | list) else size
    known = _of_timm(backbone)
    if known is None:
        return Inputs(side or Inputs.side)
    return Inputs(side or max(known.input_size[1:]), _in_pixels(known.mean), _in_pixels(known.std),
                  known.interpolation or Inputs.interpolation, known.crop_pct or Inputs.share)


def _of_timm(backbone: dict):
    if not str(backbone.get('type')).endswith('TIMMBackbone'):
        return None
    import timm
    return timm.get_pretrained_cfg(str(backbone.get('model_name')), allow_unregistered=True)


def _in_pixels(values) -> tuple[float, ...]:
    return tuple(round(255 * value, 3) for value in values)


def fill_inputs(config: dict) -> list[str]:
    """Put sizes and scales where a config says 'model'; changed in place.

    `mean` and `std` of the preprocessor; `scale` and `crop_size` of transforms are the side of the
    images, but for the `scale` of ResizeEdge before a central crop, which is the side by the share
    of it that the crop is; `interpolation`.

    Returns:
        A line to be printed, if there is any such word.

    Raises:
        ConfigError: the word stands where there is nothing of a model's to stand for.
    """
    places = list(_words(config))
    if not places:
        return []
    inputs = inputs_of(config['model'])
    for section, key in places:
        section[key] = _value_of(inputs, section, key)
    return [f"'model' is {inputs.side} pixels, {inputs.interpolation}, "
            f'(x - {[*inputs.mean]}) / {[*inputs.std]}']


def _words(section) -> Iterator[tuple[dict, str]]:
    if isinstance(section, dict):
        for key, value in section.items():
            if value == FROM_MODEL and key in FROM_MODEL_KEYS:
                yield section, key
            else:
                yield from _words(value)
    elif isinstance(section, tuple | list):
        for value in section:
            yield from _words(value)


def _value_of(inputs: Inputs, section: dict, key: str):
    if key in ('mean', 'std'):
        return [*getattr(inputs, key)]
    if key == 'interpolation':
        return inputs.interpolation
    name = str(section.get('type')).rpartition('.')[2]
    if name == 'ResizeEdge':
        return int(inputs.side / inputs.share)
    if name == 'Resize':
        return inputs.side, inputs.side
    if 'Crop' in name:
        return inputs.side
    raise ConfigError(f"`{key}` of {name} is 'model', which is for crops, Resize and ResizeEdge",
                      hint='set a number')


def size_of(config: dict) -> tuple[int, int] | None:
    """Height and width of the images that a config's pipelines end in, where they say it."""
    for part in ('test', 'val', 'train'):
        dataset = (config.get(f'{part}_dataloader') or {}).get('dataset') or {}
        for step in reversed(dataset.get('pipeline') or ()):
            name = str(step.get('type')).rpartition('.')[2]
            size = step.get('crop_size') if 'Crop' in name else None
            size = step.get('scale') if name in ('Resize', 'RandomResizedCrop') else size
            if isinstance(size, int) and name != 'Resize':
                return size, size
            if isinstance(size, tuple | list) and len(size) == 2:
                width, height = size
                return int(height), int(width)
    return None


def scale_of_timm(source: str | None, network: nn.Module) -> list[tuple[float, ...]] | None:
    """Mean and deviation that weights `timm://...` expect, by the network that they are for."""
    known = getattr(getattr(network, 'timm_model', network), 'pretrained_cfg', None)
    if not str(source).startswith('timm://') or not known:
        return None
    return [_in_pixels(known['mean']), _in_pixels(known['std'])]
