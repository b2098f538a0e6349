"""Builds and initialises a model from its section of a config."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmengine.model.weight_init import PretrainedInit
from mmengine.registry import MODELS
from torch import nn

from amlnn.errors import AmlnnError, ConfigError

__all__ = ['build', 'initialise']

Load = Callable[[nn.Module, str, str], None]


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
                          hint='python tools/check_config.py CONFIG --show prints `model` as it is '
                          'built; --traceback shows where in the code it fails') from error


def initialise(model: nn.Module, load: Load | None = None) -> None:
    """Draw a model's weights as its layers say.

    Args:
        model: The model, of which parts may have an `init_cfg`.
        load: Loads what an `init_cfg=dict(type='Pretrained')` names into a module, given the
            module, the file as the config names it, and the prefix of the tensors or ''.

    Raises:
        ConfigError: an `init_cfg` names weights, and nothing loads them.
    """
    if hasattr(model, 'init_weights'):
        # MMEngine's own loader counts nothing, and reads what the safe loader refuses with the one
        # that runs code.
        with _collected() as found, _environment('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1'):
            model.init_weights()
        # Only now: a ResNet whose `init_cfg` is a list sets norms to zero after it has loaded.
        for module, init in found:
            (load or _refuse)(module, init.checkpoint, init.prefix or '')


def _refuse(module: nn.Module, checkpoint: str, prefix: str) -> None:
    raise ConfigError(f'an `init_cfg` of {type(module).__name__} names the weights '
                      f'`{checkpoint}`, which nothing loads here',
                      hint=f'model.pretrained={checkpoint!r} in its place')


@contextmanager
def _collected() -> Iterator[list[tuple[nn.Module, PretrainedInit]]]:
    """What MMEngine would load, at whatever depth, in its order, and does not load."""
    own, found = PretrainedInit.__call__, []

    def collect(init: PretrainedInit, module: nn.Module) -> None:
        found.append((module, init))

    PretrainedInit.__call__ = collect
    try:
        yield found
    finally:
        PretrainedInit.__call__ = own


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
