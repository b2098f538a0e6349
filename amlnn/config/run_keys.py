"""Keys of MMEngine's that a training here does not follow, and what to write instead.

A config is refused where one of them asks for something; MMPretrain's shipped files, and config.py
of runs that came from them, are let pass with a note. What is not listed has an effect.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from amlnn.config.kind import run_kind
from amlnn.config.library_facts import DEFAULT_CLASSES, LOCAL_BACKEND, RUNNER, TRACKERS
from amlnn.config.load import LoadedConfig
from amlnn.config.modules import is_installed
from amlnn.errors import ConfigError
from amlnn.suggest import did_you_mean

__all__ = ['check_run_keys', 'idle_keys']

_METHODS = ('fork', 'spawn', 'forkserver')
_LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')
_LAUNCH = '--launcher pytorch on the command line, under torchrun'
_SHARED = 'several processes (--launcher) sum up gradients, whatever has one, and wrap no model'
_LOAD_FROM = 'load_from'
_LOADS = 'model.pretrained or --pretrained loads weights, and says how many matched'


def _asks(value: object) -> bool:
    return bool(value)


def _other_class(name: object) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and value.get('type', name) != name


_LOGGER = "nothing logs: default_hooks = dict(logger=dict(type='LoggerHook'), timer=dict(" \
    "type='IterTimerHook'), runtime_info=dict(type='RuntimeInfoHook'))"

# Top-level key, what of its values asks for something, and what to write instead.
_KEYS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (_LOAD_FROM, _asks, _LOADS),
    ('resume', _asks, '--resume goes on with a run'),
    ('launcher', lambda value: value not in (None, 'none'), _LAUNCH),
    ('model_wrapper_cfg', _asks, f'{_SHARED}; take it out'),
    ('find_unused_parameters', _asks, f'{_SHARED}; take it out'),
    ('sync_bn', _asks, 'norm_cfg of model.backbone says whether statistics are those of all '
     'processes; take it out'),
    ('runner_type', lambda value: value not in (None, RUNNER), 'runs have a runner of their own; '
     'take it out'),
    ('strategy', _asks, f'{_SHARED}; take it out'),
    ('compile', _asks, 'execution = dict(compile=True) compiles what is frozen'),
    ('activation_checkpointing', _asks, 'a smaller train_dataloader.batch_size, or '
     'optim_wrapper.accumulative_counts, takes less memory'),
    ('efficient_conv_bn_eval', _asks, 'execution = dict(fold_batch_norm=True) folds the batch '
     'norm of what is frozen'),
    ('train_cfg', _other_class(DEFAULT_CLASSES['train_cfg']), 'runs count epochs in a loop of '
     'their own: leave `type` out'),
    ('val_cfg', _other_class(DEFAULT_CLASSES['val_cfg']), 'runs validate in a loop of their own: '
     'leave `type` out'),
    ('test_cfg', _other_class(DEFAULT_CLASSES['test_cfg']), 'tools/test.py has a loop of its own: '
     'leave `type` out'),
)

# The same of keys inside a section.
_INNER: tuple[tuple[str, str, Callable[[Any], bool], str], ...] = (
    ('val_cfg', 'fp16', _asks, "execution = dict(precision='fp16')"),
    ('test_cfg', 'fp16', _asks, "execution = dict(precision='fp16')"),
    ('randomness', 'diff_rank_seed', _asks, 'the order is that of all processes, and each draws '
     'its own dropout; take it out'),
    ('env_cfg', 'dist_cfg', lambda value: bool(set(value or ()) - {'backend'}),
     '--launcher chooses how processes talk; take it out'),
)


def check_run_keys(loaded: LoadedConfig) -> list[str]:
    """Refuse a config for training that asks for what no training here does.

    Args:
        loaded: From `load_config`.

    Returns:
        Lines to be printed.

    Raises:
        ConfigError: names the key, and what to write instead; or the package of a tracker that is
            not installed.

    >>> from amlnn.config.load import load_config
    >>> check_run_keys(load_config(tiny_config('sync_bn = True')))
    Traceback (most recent call last):
        ...
    amlnn.errors.ConfigError: tiny.py:2: `sync_bn` changes nothing here
    """
    notes = []
    for dotted, instead in idle_keys(loaded.config):
        place = loaded.origins.get(dotted, str(loaded.path))
        message = f'`{dotted}` changes nothing here'
        if dotted == _LOAD_FROM or not _is_lenient(place):  # weights are never passed over
            raise ConfigError(f'{place}: {message}', hint=instead)
        notes.append(f'{place}: {message}')
    _check_values(loaded)
    _check_trackers(loaded)
    visualizer = loaded.config.get('visualizer') or {}
    if any(backend.get('type') == LOCAL_BACKEND for backend in _backends(visualizer)):
        notes.append(f'{LOCAL_BACKEND} is left out: scalars.jsonl holds what it would write')
    if (loaded.config.get('default_hooks') or {}).get('visualization'):
        notes.append('default_hooks.visualization is left out: tools/report.py shows images')
    return notes


def idle_keys(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The dotted keys that ask for something and change nothing, and what to write instead.

    >>> [key for key, _ in idle_keys({'launcher': 'pytorch', 'sync_bn': None, 'resume': False})]
    ['launcher']
    """
    for key, asks, instead in _KEYS:
        if asks(config.get(key)):
            yield key, instead
    for section, key, asks, instead in _INNER:
        inside = config.get(section)
        if isinstance(inside, dict) and asks(inside.get(key)):
            yield f'{section}.{key}', instead
    if run_kind(config) == 'forecasting':
        for key in ('data_preprocessor', 'tta_model', 'tta_pipeline'):
            if config.get(key):
                yield key, 'it is of images; take it out'
    if 'logger' in (hooks := config.get('default_hooks') or {}) and not hooks['logger']:
        for key in ('visualizer', 'log_processor'):
            if config.get(key):
                yield key, _LOGGER


def _check_values(loaded: LoadedConfig) -> None:
    """Refuse values that would end a run once it has begun."""
    config = loaded.config
    scale = config.get('auto_scale_lr') or {}
    base = scale.get('base_batch_size')
    if scale.get('enable') and not (isinstance(base, int) and base > 0):
        raise _wrong(loaded, 'auto_scale_lr', 'is enabled, and names no `base_batch_size`',
                     'auto_scale_lr = dict(enable=True, base_batch_size=256), for a learning rate '
                     'that was chosen for batches of 256')
    method = ((config.get('env_cfg') or {}).get('mp_cfg') or {}).get('mp_start_method', 'fork')
    if method not in _METHODS:
        raise _wrong(loaded, 'env_cfg.mp_cfg.mp_start_method', f'is {method!r}',
                     f'one of {", ".join(_METHODS)}')
    level = config.get('log_level', 'INFO')
    if isinstance(level, str) and level not in logging.getLevelNamesMapping():
        raise _wrong(loaded, 'log_level', f'is {level!r}', did_you_mean(level, _LEVELS)
                     or f'one of {", ".join(_LEVELS)}')
    if config.get('val_dataloader') and (
            not config.get('val_evaluator') or config.get('val_cfg', {}) is None):
        key = 'val_cfg' if config.get('val_evaluator') else 'val_evaluator'
        raise _wrong(loaded, key, 'is not set, and `val_dataloader` is',
                     'set it, or for a training without validation: val_dataloader = '
                     'val_evaluator = val_cfg = None')


def _wrong(loaded: LoadedConfig, dotted: str, what: str, hint: str) -> ConfigError:
    return ConfigError(f'{loaded.origins.get(dotted, loaded.path)}: `{dotted}` {what}', hint=hint)


def _is_lenient(place: str) -> bool:
    """Whether a key was written by MMPretrain, or stands in the config of a run."""
    file = place.rpartition(':')[0] or place
    return place.startswith('mmpretrain::') or (
        Path(file).name == 'config.py' and Path(file).with_name('run.json').is_file())


def _backends(visualizer: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = visualizer.get('vis_backends') or []
    given = given if isinstance(given, list | tuple) else [given]
    return [backend for backend in given if isinstance(backend, dict)]


def _check_trackers(loaded: LoadedConfig) -> None:
    """Refuse a tracker whose package is not there: MMEngine would, once the run has begun."""
    for index, backend in enumerate(_backends(loaded.config.get('visualizer') or {})):
        name = str(backend.get('type')).rpartition('.')[2]
        packages = TRACKERS.get(name, ())
        missing = [package for package in packages if not is_installed(package)]
        if missing:
            dotted = f'visualizer.vis_backends.{index}.type'
            place = loaded.origins.get(dotted) or loaded.origins.get('visualizer', str(loaded.path))
            raise ConfigError(
                f'{place}: `visualizer` names {name}, which needs the package '
                f'{" and ".join(missing)}: not installed',
                hint=f'pip install {" ".join(missing)}, or take it out: scalars.jsonl and '
                'curves.png hold the numbers')
