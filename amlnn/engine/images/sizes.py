"""Whether the images of a batch come in one size."""

from amlnn.config.kind import part_data_sets
from amlnn.data.images.views import View, ViewDataset
from amlnn.errors import ConfigError

__all__ = ['fixed_size', 'spread_images']

_LOOKED_AT = 32
_FIXING = ('CenterCrop', 'EfficientNetCenterCrop', 'EfficientNetRandomCrop', 'RandomCrop',
           'RandomResizedCrop')


def fixed_size(config) -> bool:
    """Whether every training pipeline has a step after which all images are of one size.

    >>> step = {'type': 'RandomResizedCrop', 'scale': 224}
    >>> fixed_size({'train_dataloader': {'dataset': {'type': 'A', 'pipeline': [step]}}})
    True
    """
    leaves = part_data_sets(config, 'train')
    return bool(leaves) and all(any(map(_fixes, leaf.get('pipeline') or ())) for leaf in leaves)


def _fixes(step: dict) -> bool:
    name = str(step.get('type')).rpartition('.')[2]
    if name == 'Resize':
        return not step.get('keep_ratio') and step.get('scale') is not None
    return name in _FIXING


def spread_images(dataset: ViewDataset, fixed: bool) -> list[dict]:
    """Packed images of the first view, evenly spaced: two, or more where sizes may differ.

    Args:
        dataset: Of the training part.
        fixed: Whether the pipeline makes all of one size.

    Raises:
        ConfigError: two of them are of different sizes.
    """
    count = min(2 if fixed else _LOOKED_AT, len(dataset))
    places = [place * len(dataset) // count for place in range(count)]
    images = [dataset[View(place, 0)] for place in places]
    shapes = [tuple(image['inputs'].shape) for image in images if hasattr(image['inputs'], 'shape')]
    other = next((shape for shape in shapes if shape != shapes[0]), None)
    if other:
        raise ConfigError(
            f'the training images come in several sizes, {_shown(shapes[0])} and {_shown(other)} '
            'for instance, and a batch needs one',
            hint="add dict(type='Resize', scale=(224, 224)) or dict(type='CenterCrop', "
            'crop_size=224) to the pipelines, before PackInputs')
    return images


def _shown(shape: tuple[int, ...]) -> str:
    return ' x '.join(map(str, shape[-2:]))
