"""The second tier of the check: names that only the built model knows."""

import contextlib
import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from amlnn.errors import ConfigError
from amlnn.foreign_texts import parse_json
from amlnn.registry import MODEL_KEYS
from amlnn.suggest import nearest
from amlnn.user_cache import read_cached, write_cached

if TYPE_CHECKING:
    from amlnn.config.load import LoadedConfig

__all__ = ['check_parameters']


def check_parameters(loaded: 'LoadedConfig',
                     parameter_names: Callable[[dict[str, Any]], list[str]]) -> None:
    """Check what names parameters of the model: `model.trainable` and `custom_keys`.

    Args:
        loaded: From `load_config`.
        parameter_names: Given the model section, all parameter names of the built model. Called
            only if something names parameters and this model's names are not cached.

    Raises:
        ConfigError: a name matches no parameter.

    >>> from amlnn.config.load import load_config
    >>> loaded = load_config(tiny_config("model = dict(trainable=['layer9'])"))
    >>> own_cache()
    >>> check_parameters(loaded, lambda model: ['backbone.layer3.weight', 'backbone.layer4.weight']
    ...                  )  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    amlnn.errors.ConfigError: tiny.py:2: `model.trainable` names `layer9`, which no ...
    """
    model = loaded.config.get('model') or {}
    trainable = [(f'model.trainable.{index}', prefix)
                 for index, prefix in enumerate(model.get('trainable') or ())]
    section = loaded.config.get('optim_wrapper') or {}
    paramwise = section.get('paramwise_cfg') or {}
    custom = [(f'optim_wrapper.paramwise_cfg.custom_keys.{key}', key)
              for key in paramwise.get('custom_keys') or ()]
    if not trainable and not custom:
        return
    names = _names(model, parameter_names)
    for dotted, prefix in trainable:
        if not any(_begins(name, prefix) for name in names):
            raise _unmatched(loaded, dotted, 'model.trainable', prefix, _prefixes(names))
    for dotted, key in custom:
        if not any(key in name for name in names):
            raise _unmatched(loaded, dotted, dotted, key, _parts(names))


def _begins(name: str, prefix: str) -> bool:
    """Whether a parameter of the model, or of its backbone, is below `prefix`."""
    return any(part == prefix or part.startswith(prefix + '.')
               for part in (name, name.removeprefix('backbone.')))


def _prefixes(names: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        for whole in (name.removeprefix('backbone.'), name):
            parts = whole.split('.')
            found.update(dict.fromkeys('.'.join(parts[:n]) for n in range(1, len(parts) + 1)))
    return list(found)


def _parts(names: list[str]) -> list[str]:
    return [*dict.fromkeys(part for name in names for part in name.split('.')), *_prefixes(names)]


def _unmatched(loaded: 'LoadedConfig', dotted: str, owner: str, name: str,
               known: list[str]) -> ConfigError:
    place = loaded.origins.get(dotted) or loaded.origins.get(owner) or str(loaded.path)
    near = nearest(name, known, max(2, len(name) // 4))
    shown = [entry for entry in known if '.' not in entry and not entry.isdigit()][:12]
    return ConfigError(
        f'{place}: `{owner}` names `{name}`, which no parameter of the model matches',
        hint=f'did you mean `{near[0]}`?' if near else f'the model has {", ".join(shown)}')


def _names(model: dict[str, Any],
           parameter_names: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    """The model's parameter names, from the cache if an equal model was asked for before."""
    content = {key: value for key, value in model.items() if key not in MODEL_KEYS}
    text = json.dumps(content, sort_keys=True, default=str)
    for package in ('onedl-mmengine', 'onedl-mmpretrain', 'torch', 'timm', 'amlnn'):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            text += f'\n{package} {importlib.metadata.version(package)}'
    file = f'{hashlib.sha256(text.encode()).hexdigest()}.json'
    try:
        names = parse_json(read_cached('parameters', file) or '')
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return names
    except ValueError:
        pass
    names = list(parameter_names(model))
    write_cached('parameters', file, json.dumps(names, indent=1, ensure_ascii=False) + '\n')
    return names
