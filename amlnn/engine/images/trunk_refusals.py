"""What of a training the fast path would pass by, so that the plain one has to be taken."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from mmengine.registry import HOOKS
from torch import nn

from amlnn.data.cache.cache_folder import cache_root, default_limit, readable_size
from amlnn.errors import ConfigError
from amlnn.models.images.feature_mixup import FeatureMixup, is_mixing_features
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmengine.model import BaseDataPreprocessor, ImgDataPreprocessor
    from mmpretrain.models.utils import ClsDataPreprocessor

__all__ = ['refuse_switched_mixing', 'refuse_too_large', 'why_not_trained']

# Those that do the same to a batch in training as in an evaluation, batch augmentations aside.
_PREPROCESSORS = (ClsDataPreprocessor, ImgDataPreprocessor, BaseDataPreprocessor)
# What they do to the images, the training loader or the frozen stages would not be seen.
_HOOKS = {
    'PreciseBNHook': 'PreciseBNHook passes images through the whole model',
    'RFSearchHook': 'RFSearchHook changes the convolutions of the whole model',
}
_SWITCHED = {'train_pipeline': 'the pipeline of the images',
             'batch_augments': 'how images are mixed'}


def why_not_trained(config: Mapping, model: nn.Module) -> str | None:
    """One line on what of a training would come out otherwise on the fast path, or None.

    Args:
        config: Resolved, for MMEngine's builders.
        model: The classifier, for which there can be a trunk.
    """
    preprocessor = type(model.data_preprocessor)
    if preprocessor.forward not in [each.forward for each in _PREPROCESSORS]:
        return f'{preprocessor.__name__} has its own `forward`, which may do otherwise in training'
    for name, section in _hooks(config):
        if name in _HOOKS:
            return _HOOKS[name]
        if name == 'SwitchRecipeHook':
            switched = [what for key, what in _SWITCHED.items()
                        if any(key in recipe for recipe in section.get('schedule', ()))]
            if switched:
                return f'SwitchRecipeHook changes {switched[0]} while it trains'
    return None


def refuse_switched_mixing(config: Mapping, model: nn.Module) -> None:
    """Refuse a SwitchRecipeHook that turns FeatureMixup on or off: it knows the preprocessor alone.

    Raises:
        ConfigError: there is one.
    """
    for name, section in _hooks(config):
        switched = [recipe['batch_augments'] for recipe in section.get('schedule', ())
                    if 'batch_augments' in recipe] if name == 'SwitchRecipeHook' else []
        if switched and (is_mixing_features(model) or FeatureMixup.__name__ in str(switched)):
            raise ConfigError(
                'SwitchRecipeHook changes what mixes images, and FeatureMixup mixes features',
                hint='leave `batch_augments` out of its schedule, or take Mixup in place of '
                'FeatureMixup')


def refuse_too_large(shape: Sequence[int], dtype: torch.dtype, images: int, views: int,
                     limit: int | None) -> None:
    """Refuse to keep features of which not one view of all images has room.

    Args:
        shape: Of one image's features: [C] or [C, H, W].
        dtype: Of its numbers.
        images: How many there are.
        views: Of each, that are to be kept.
        limit: Bytes that the caches may have; None is their default.

    Raises:
        ConfigError: names what is needed, what there is, and what to do.
    """
    view = images * math.prod(shape) * dtype.itemsize
    room = default_limit(cache_root()) if limit is None else limit
    if view <= room:
        return
    numbers = f'{" x ".join(map(str, shape))} numbers in {str(dtype).removeprefix("torch.")}'
    several = f', {views} views {readable_size(views * view)}' if views > 1 else ''
    later = "model.frozen_stages='all' keeps a vector of each image; " if len(shape) > 1 else ''
    raise ConfigError(
        f'the features of {images:,} images ({numbers} each) take {readable_size(view)}{several}; '
        f'the caches may have {readable_size(room)}',
        hint=f'{later}execution.cache_gb={math.ceil(view / 1e9)} where the disk has room; '
        'execution.trunk_cache=False computes them anew in every epoch')


def _hooks(config: Mapping) -> Iterator[tuple[str, Mapping]]:
    """Class and section of every hook that a config adds, by whatever name it calls the class."""
    for section in [*(config.get('default_hooks') or {}).values(),
                    *(config.get('custom_hooks') or ())]:
        if not isinstance(section, Mapping):
            continue
        with HOOKS.switch_scope_and_registry(None) as registry:
            kind = registry.get(str(section.get('type')))
        for each in getattr(kind, '__mro__', ()):
            yield each.__name__, section
