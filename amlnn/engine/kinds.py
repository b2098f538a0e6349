"""The one door to a kind of experiment: from a config to its task, within its scope."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from amlnn.config.kind import run_kind
from amlnn.config.load import LoadedConfig
from amlnn.config.own_imports import import_own_modules
from amlnn.engine.task import Task
from amlnn.errors import ConfigError
from amlnn.quiet import quiet_imports

__all__ = ['in_scope', 'open_task', 'task_class']

_CLASSES = {'classification': ('amlnn.engine.images.task', 'ImageTask'),
            'forecasting': ('amlnn.engine.series.task', 'SeriesTask')}


def task_class(config) -> type[Task]:
    """The class of a config's kind.

    Raises:
        ConfigError: nothing trains that kind.
    """
    kind = run_kind(config)
    if kind not in _CLASSES:
        raise ConfigError(f'the data set is of the kind `{kind}`, and nothing here trains it',
                          hint=f'one of {", ".join(_CLASSES)}')
    module, name = _CLASSES[kind]
    return getattr(import_module(module), name)


_FROZEN: list[bool] = []
"""Whether the libraries' own objects were taken from the garbage collector."""


@contextmanager
def in_scope(config) -> Iterator[None]:
    """Names in a config are looked up in its default scope; amlnn's components are registered, and
    those of its `custom_imports`.

    Raises:
        ConfigError: a module of `custom_imports` cannot be imported.
    """
    kind = task_class(config)
    with quiet_imports():
        kind.register()
    import_own_modules(config)
    if not _FROZEN:
        _FROZEN.append(True)  # to count what is frozen takes 50 ms
        # MMEngine collects garbage whenever it packs a data set: two seconds each, nearly all of it
        # over the libraries' own objects, which stay. Forked workers then share their memory too.
        gc.freeze()
        atexit.register(gc.unfreeze)  # else extension modules speak of leaks on the way out
    # MMEngine logs to whatever logger came last; until a run has one, only errors reach the screen.
    if not MMLogger.check_instance_created('amlnn'):
        MMLogger.get_instance('amlnn', log_level='ERROR')
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or kind.scope):
        yield


def open_task(loaded: LoadedConfig, device: str, **arguments) -> Task:
    """The task of a config; arguments as of `Task.open`, errors too."""
    with in_scope(loaded.config):
        return task_class(loaded.config).open(loaded, device, **arguments)
