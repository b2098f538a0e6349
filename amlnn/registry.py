"""Where amlnn's registered components live.

Each module below but one registers classes in MMEngine's root registries, where configs of any
scope find them by name. The list is data: the config checker reads the modules' source without
importing them.
"""

from importlib import import_module
from typing import Any

__all__ = ['COMPONENT_MODULES', 'EXECUTION_CLASS', 'FROM_MODEL', 'FROM_MODEL_KEYS', 'MODEL_KEYS',
           'NAMED_NETWORKS', 'NETWORK_WEIGHTS', 'SERIES_MODULES', 'VALIDATION_LOSS',
           'WEIGHT_SCHEMES', 'WEIGHT_SOURCES', 'gain', 'import_components', 'of_registry',
           'usual_rule']

# What a forecast needs. None of it brings in MMPretrain, whose import takes longer than many a
# forecaster trains.
SERIES_MODULES = (
    'amlnn.data.series.array_series',
    'amlnn.data.series.csv_series',
    'amlnn.data.series.generate',
    'amlnn.data.series.window_loader',  # registers nothing; its arguments are checked
    'amlnn.data.series.windows',
    'amlnn.engine.run.hooks',
    'amlnn.engine.precision',
    'amlnn.metrics.forecasting',
    'amlnn.models.series.baselines',
    'amlnn.models.series.blend',
    'amlnn.models.series.forecast_heads',
    'amlnn.models.series.forecaster',
    'amlnn.models.series.mixing',
    'amlnn.models.series.recurrent',
    'amlnn.models.series.ridge',
    'amlnn.models.series.segmented',
    'amlnn.models.series.simple_forecaster',
)

COMPONENT_MODULES = (
    'amlnn.data.images.cifar',
    'amlnn.data.cache.decoded',
    'amlnn.data.images.folder',
    'amlnn.data.images.folds',
    'amlnn.data.images.reader',
    'amlnn.data.images.tiny_imagenet',
    'amlnn.data.images.views',
    'amlnn.data.images.weighted',
    'amlnn.metrics.classification',
    'amlnn.models.images.cnn',
    'amlnn.models.images.feature_mixup',
    'amlnn.models.images.heads',
    'amlnn.models.images.inception',
    'amlnn.models.images.losses',
    'amlnn.models.images.necks',
    'amlnn.models.images.timm_backbone',
    *SERIES_MODULES,
)

# Keys of `model` that amlnn reads and removes before the model is built.
MODEL_KEYS = ('frozen_stages', 'trainable', 'unfreeze', 'pretrained', 'pretrained_head',
              'head_start')

# The word that a config has where an image's size or scale is that of the model's weights, and the
# arguments that take it, of the preprocessor and of transforms.
FROM_MODEL = 'model'
FROM_MODEL_KEYS = ('mean', 'std', 'scale', 'crop_size', 'interpolation')

# Backbones that take a network of another library: what its weights are called by, before the value
# of an argument.
NAMED_NETWORKS = {'TIMMBackbone': ('timm://', 'model_name')}

# Arguments by which such a backbone would load weights itself: True, or a file.
NETWORK_WEIGHTS = ('pretrained', 'checkpoint_path')

# The arguments of this class are the keys of the top-level `execution`.
EXECUTION_CLASS = ('amlnn.engine.precision', 'ExecutionPolicy')

# The name under which every run reports its mean loss on the validation part.
VALIDATION_LOSS = 'val_loss'

# How `model.pretrained` and --pretrained name weights that are no path, and all that they can name.
WEIGHT_SCHEMES = ('torchvision', 'timm', 'package')
WEIGHT_SOURCES = 'torchvision://<model>, timm://<model>, package://<weights>, or a path'


_LESS_IS_BETTER = ('loss', 'mse', 'mae', 'mase', 'smape', 'crps', 'width')


def usual_rule(monitor: str) -> str:
    """Whether a metric is better 'greater' or 'less', by its name.

    >>> usual_rule('accuracy/top1'), usual_rule('val_loss'), usual_rule('forecast/mse_original')
    ('greater', 'less', 'less')
    """
    name = monitor.rpartition('/')[2]
    return 'less' if any(word in name for word in _LESS_IS_BETTER) else 'greater'


def gain(value: float, best: float, rule: str) -> float:
    """By how much a metric's value is better than the best so far; not above 0 where it is not.

    >>> gain(0.75, 0.5, 'greater'), gain(0.75, 0.5, 'less')
    (0.25, -0.25)
    """
    return value - best if rule == 'greater' else best - value


def of_registry(registry: Any, name: object) -> Any:
    """A class that is registered already; None for none.

    To look into a registry of MMEngine in its own way imports everything that MMEngine has for it,
    and torch with it.
    """
    return registry.module_dict.get(name) if type(name) is str else None


def import_components(modules: tuple[str, ...] = COMPONENT_MODULES) -> None:
    """Import modules that register something, by default all. Brings in torch."""
    for name in modules:
        import_module(name)
