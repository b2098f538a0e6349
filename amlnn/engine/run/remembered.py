"""What schedulers and hooks have become since they were built: all of it that a checkpoint holds.

What they were built with follows the config, also that of a longer training that goes on with a
shorter one: MMEngine would bring a scheduler's old `end` back with its state.
"""

import copy
import warnings
from collections import deque
from collections.abc import Mapping

import numpy as np
import torch

__all__ = ['catch_up', 'changed', 'plain_state', 'scheduler_changes', 'take_up']

# Of checkpoints that hold whole states of MMEngine's schedulers: what is not of the config.
_POSITION = ('last_step', '_global_step', '_last_value', 'best', 'num_bad_epochs',
             'cooldown_counter')

_ATOMS = (type(None), bool, int, float, str, torch.Tensor)


def plain_state(part: object) -> dict[str, object]:
    """The attributes of an object that are numbers, words, tensors, or collections of these.

    >>> class Hook: pass
    >>> hook = Hook(); hook.count, hook.seen, hook.runner = 3, deque([1, 2]), object()
    >>> plain_state(hook)
    {'count': 3, 'seen': deque([1, 2])}
    """
    return {name: copy.deepcopy(value) for name, value in vars(part).items() if _is_plain(value)}


def changed(before: Mapping, now: Mapping) -> dict:
    """What of a state is not as it was, in types that are read back without running code.

    >>> changed({'gamma': 0.1, 'last_step': 0}, {'gamma': 0.1, 'last_step': 5})
    {'last_step': 5}
    """
    return {name: _packed(value) for name, value in now.items()
            if name not in before or not _same(before[name], value)}


def scheduler_changes(state: Mapping) -> dict:
    """What of a stored scheduler's state is not of its config."""
    return {name: value for name, value in state.items() if name in _POSITION} \
        if 'begin' in state and 'end' in state else dict(state)


def take_up(part: object, state: Mapping) -> None:
    """Give an object the attributes that `changed` found of another one of its kind."""
    vars(part).update({name: _unpacked(value) for name, value in state.items()})


def catch_up(scheduler, metrics: Mapping[str, float]) -> None:
    """Let a scheduler take the step that it was refused at what was the end of the training.

    MMEngine's schedulers do nothing at `end`, and `end` is by default the last epoch: a longer
    training would begin with the value that a shorter one ended with.

    Args:
        scheduler: With the state of a checkpoint and the `end` of now.
        metrics: Of the last validation, for one that goes by them.
    """
    by_metric = getattr(scheduler, 'need_val_args', False)
    begin = max(scheduler.begin, 1) if by_metric else scheduler.begin
    now = scheduler._global_step
    if begin <= now < scheduler.end and scheduler.last_step < now - begin:
        scheduler._global_step = now - 1
        if by_metric:
            scheduler.step(metrics)
        else:
            with warnings.catch_warnings():  # the optimizer has stepped, before it was stored
                warnings.filterwarnings('ignore', message='Detected call of `scheduler.step')
                scheduler.step()


def _is_plain(value: object) -> bool:
    if isinstance(value, _ATOMS):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype != object
    if isinstance(value, Mapping):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    return isinstance(value, list | tuple | set | deque) and all(map(_is_plain, value))


def _same(one: object, other: object) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.shape == other.shape and bool((one == other).all())
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


_COLLECTIONS = {'set': set, 'deque': deque, 'tuple': tuple, 'array': lambda value: value.numpy()}


def _packed(value: object) -> object:
    """In the types of the safe reader; what it does not know as ('deque', list) and the like."""
    if isinstance(value, np.ndarray):
        return {'__kind__': 'array', 'value': torch.from_numpy(value.copy())}
    if isinstance(value, Mapping):
        return {key: _packed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_packed(item) for item in value]
    for name in ('set', 'deque', 'tuple'):
        if isinstance(value, _COLLECTIONS[name]):
            return {'__kind__': name, 'value': [_packed(item) for item in value]}
    return value


def _unpacked(value: object) -> object:
    if isinstance(value, Mapping):
        if set(value) == {'__kind__', 'value'}:
            return _COLLECTIONS[value['__kind__']](_unpacked(value['value']))
        return {key: _unpacked(item) for key, item in value.items()}
    return [_unpacked(item) for item in value] if isinstance(value, list) else value
