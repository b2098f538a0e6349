"""The tensors of a file of weights, taken out of the containers and prefixes around them.

Containers are looked for in the order of `CONTAINERS`: weights as they were trained come before
their moving averages, a teacher before its student. Where the file holds several, what was taken is
said. Then names lose the words that wrappers put before them, in any order and however deep:
`unwrapped` takes them off where there is nothing to compare with, `best_prefix` finds the prefix
under which most of a model's tensors are.
"""

import argparse
import pathlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from amlnn.errors import WeightsError
from amlnn.file_kinds import NUMPY, SAFETENSORS, file_kind, refuse_objects
from amlnn.models.images.weights_packages import renamed
from amlnn.sealed import damage

__all__ = ['CONTAINERS', 'WeightsFile', 'best_prefix', 'read_file', 'read_tensors', 'unwrapped']

CONTAINERS = (
    'state_dict', 'model', 'model_state_dict', 'model_state', 'module', 'net', 'network', 'params',
    'weights', 'checkpoint', 'teacher', 'student', 'backbone', 'encoder',
    'state_dict_ema', 'model_ema', 'ema_state_dict', 'params_ema', 'ema', 'averaged_model')
_OBVIOUS = ('state_dict', 'model', 'model_state_dict', 'model_state', 'checkpoint')
# What lies beside the weights in a file of a training.
_NEVER = ('optim', 'scheduler', 'scaler', 'hyper_parameters', 'callbacks', 'loops', 'rng', 'args',
          'meta', 'hooks', 'message_hub', 'record', 'config')

# Put before names by DataParallel, torch.compile, Lightning, encoders, self-supervised training.
_WORDS = ('module', 'model', 'backbone', 'encoder', 'net', 'network', 'teacher', 'student',
          'encoder_q', 'online_network', 'base_encoder', 'ema', 'ema_model', 'visual', 'trunk')
# These stand before any part of a network; nobody names a layer so.
_ANYWHERE = ('_orig_mod.', '_fsdp_wrapped_module.', '_checkpoint_wrapped_module.')
_SECOND_CHOICE = ('student', 'momentum', 'encoder_k', 'target', 'ema')
_LEAST_SHARE = 0.25


@dataclass(frozen=True)
class WeightsFile:
    """What a file holds."""

    tensors: dict[str, Tensor]
    """Under the names in the file, but for `_orig_mod.` and its like, and for names that a package
    of weights has to have changed."""
    notes: list[str] = field(default_factory=list)
    """What was taken, where the file holds several."""


def read_file(path: Path) -> WeightsFile:
    """Read a file of weights; no code runs.

    Raises:
        WeightsError: it is none; says what it is, and how to save one.
    """
    content = _content(path)
    places: list[str] = []
    beside: list[str] = []
    while isinstance(content, Mapping):
        found = _containers(content)
        if not found:
            break
        places.append(found[0])
        beside += found[1:]
        content = content[found[0]]
    tensors = {} if not isinstance(content, Mapping) else {
        _clean(name): torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value
        for name, value in content.items() if isinstance(name, str) and _is_array(value)}
    if not tensors:
        raise _no_names(path, content)
    notes = []
    if beside or not set(places) <= {*_OBVIOUS}:
        taken = "']['".join(places)
        notes.append(f"took ['{taken}'] of the file" + (
            f', which has {_listed(beside)} too' if beside else ''))
    return WeightsFile(renamed(tensors), notes)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, without what wrappers put before their names.

    Raises:
        WeightsError: as `read_file`.
    """
    return unwrapped(read_file(path).tensors)


def _content(path: Path):
    kind = file_kind(path)
    if wrong := damage(path):
        raise WeightsError(f'`{path}` is damaged: {wrong}', hint='copy or download it again, whole')
    if kind == NUMPY:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    try:
        if kind == SAFETENSORS:
            from safetensors.torch import load_file
            return load_file(path)
        # By name, torch would take the ending for what the file is.
        with open(path, 'rb') as file, torch.serialization.safe_globals(_plain_classes()):
            return torch.load(file, map_location='cpu', weights_only=True)
    except ImportError:
        raise WeightsError(f'`{path}` is of safetensors, which is not installed',
                           hint='pip install safetensors') from None
    except Exception as error:
        raise refuse_objects(path, kind, error) from None


def _plain_classes() -> list:
    """What files of trainings hold beside tensors, and what does nothing when it is read."""
    from mmengine.logging.history_buffer import HistoryBuffer
    rebuild = import_module('numpy._core.multiarray')
    kinds = {type(np.dtype(name)) for name in (
        'f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'bool', 'c8', 'c16')}
    return [argparse.Namespace, pathlib.PosixPath, np.ndarray, np.dtype, *kinds,
            # MMEngine's curves, whose functions are not needed: nothing is looked up.
            HistoryBuffer, (_nothing, 'builtins.getattr'),
            *((function, f'numpy.{core}.multiarray.{function.__name__}')
              for core in ('core', '_core') for function in (rebuild._reconstruct, rebuild.scalar))]


def _nothing(*arguments) -> None:
    return None


def _is_array(value) -> bool:
    return isinstance(value, Tensor) or (
        isinstance(value, np.ndarray) and value.dtype.kind in 'fiub')


def _holds_arrays(value, depth: int = 3) -> bool:
    return isinstance(value, Mapping) and any(
        _is_array(each) or (depth and _holds_arrays(each, depth - 1)) for each in value.values())


def _containers(content: Mapping) -> list[str]:
    """Keys under which there are weights, the one to take first."""
    known = [key for key in CONTAINERS if _holds_arrays(content.get(key))]
    if known or any(map(_is_array, content.values())):
        return known
    others = [key for key, value in content.items() if isinstance(key, str)
              and not any(word in key.lower() for word in _NEVER) and _holds_arrays(value)]
    return sorted(others, key=lambda key: -len(content[key]))


def _clean(name: str) -> str:
    for word in _ANYWHERE:
        name = name.replace(word, '')
    return name


def _no_names(path: Path, content) -> WeightsError:
    if isinstance(content, Mapping):
        shown = _listed([str(key) for key in content]) if content else 'nothing'
        what = f'it has only {shown}'
    elif isinstance(content, list | tuple):
        what = f'it is a list of {len(content)} values without names'
    else:
        what = f'it is a {type(content).__name__} without names'
    return WeightsError(f'`{path}` holds no weights: {what}',
                        hint="torch.save(model.state_dict(), 'weights.pth') writes names with "
                        'their tensors')


def _listed(names: list[str], most: int = 6) -> str:
    more = len(names) - most
    return ', '.join(f'`{name}`' for name in names[:most]) + (f' and {more} more' if more > 0
                                                             else '')


def unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors without the words that wrappers put before all names, or all but those of a head.

    >>> list(unwrapped({'module.backbone.a.weight': 1, 'module.backbone.b.weight': 2,
    ...                 'module.fc.weight': 3}))
    ['fc.weight', 'a.weight', 'b.weight']
    """
    prefix, whole = '', len(tensors)
    while True:
        counts = Counter(name[len(prefix):].partition('.')[0] for name in tensors
                         if name.startswith(prefix))
        word, count = counts.most_common(1)[0]
        if word not in _WORDS or count < 0.5 * whole:
            return without(tensors, prefix)
        prefix += f'{word}.'


def without(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors with a prefix taken off; names beside it lose the words that they share with it."""
    words = prefix.split('.')[:-1]
    beside = {}
    for name, tensor in tensors.items():
        if not name.startswith(prefix):
            parts = name.split('.')
            shared = next((place for place, (mine, theirs) in enumerate(
                zip(words, parts, strict=False)) if mine != theirs), 0)
            beside['.'.join(parts[shared:])] = tensor
    return beside | {name.removeprefix(prefix): tensor for name, tensor in tensors.items()
                     if name.startswith(prefix)}


def best_prefix(tensors: Mapping[str, Tensor],
                count: Callable[[dict[str, Tensor]], int]) -> tuple[str, list[str]]:
    """The prefix under which a model's tensors are in a file.

    Args:
        tensors: Under the names in the file.
        count: How many of the model's tensors are among those that it is given.

    Returns:
        The prefix ('' for none), and the others that fit as well: a student beside its teacher.
    """
    shares: Counter[str] = Counter()
    for name in tensors:
        parts = name.split('.')
        shares.update('.'.join(parts[:place]) + '.' for place in range(1, len(parts)))
    prefixes = ['', *(prefix for prefix, number in shares.items()
                      if number >= _LEAST_SHARE * len(tensors))]
    counts = {prefix: count(without(tensors, prefix)) for prefix in prefixes}
    most = max(counts.values())
    best = sorted((prefix for prefix in prefixes if counts[prefix] == most), key=lambda prefix: (
        any(word in prefix for word in _SECOND_CHOICE), not prefix.endswith('backbone.'),
        prefix.count('.')))
    first = best[0]
    apart = [other for other in best[1:] if most and not (
        first.startswith(other) or other.startswith(first))]
    return first, apart
