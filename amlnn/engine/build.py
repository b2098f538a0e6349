"""Builds and initialises a model from its section of a config."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.registry import MODELS
from torch import nn

from amlnn.errors import AmlnnError, ConfigError

__all__ = ['build', 'initialise']


def build(section) -> nn.Module:
    """A model from its section of a config, not yet initialised.

    Raises:
        ConfigError: it cannot be built.
    """
    try:
        with warnings.catch_warnings():
            # mmcv remarks on layers as papers have them: a bias before a norm, a sigmoid of 6.
            warnings.filterwarnings('ignore', module=r'mmcv\.cnn')
            return MODELS.build(section)
    except AmlnnError:
        raise
    except Exception as error:
        text = ' '.join(str(error).split())
        raise ConfigError(f'the model cannot be built: {text[:300]}',
                          hint='run again with --traceback for the place in the code') from error


def initialise(model: nn.Module) -> None:
    """Draw a model's weights as its layers say."""
    # MMEngine reads `init_cfg=dict(type='Pretrained')` with the safe loader and, where that
    # refuses, with the one that runs code; this keeps it from doing so.
    with _environment('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1'):
        if hasattr(model, 'init_weights'):
            model.init_weights()


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
