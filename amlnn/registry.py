"""Where amlnn's registered components live.

Each module below registers classes in MMEngine's root registries, where configs of any scope find
them by name. The list is data: the config checker reads the modules' source without importing them.
"""

from importlib import import_module

__all__ = ['COMPONENT_MODULES', 'EXECUTION_CLASS', 'MODEL_KEYS', 'VALIDATION_LOSS',
           'import_components']

COMPONENT_MODULES = (
    'amlnn.data.decoded',
    'amlnn.data.sources',
    'amlnn.data.views',
    'amlnn.engine.hooks',
    'amlnn.engine.precision',
    'amlnn.models.inception',
)

# Keys of `model` that amlnn reads and removes before the model is built.
MODEL_KEYS = ('frozen_stages', 'trainable', 'pretrained', 'pretrained_head')

# The arguments of this class are the keys of the top-level `execution`.
EXECUTION_CLASS = ('amlnn.engine.precision', 'ExecutionPolicy')

# The name under which every run reports its mean loss on the validation part.
VALIDATION_LOSS = 'val_loss'


def import_components() -> None:
    """Import every module that registers something. Brings in torch."""
    for name in COMPONENT_MODULES:
        import_module(name)
