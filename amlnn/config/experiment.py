"""What of a config is the experiment, and what is only how, where and how often it is run.

Two runs are of one experiment where `identity` says so. Resuming a run, the rows of a report and
the search for a training that is finished already ask this module and nothing else.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from amlnn.config.kind import PARTS
from amlnn.config.resolved import named

__all__ = ['CONTINUATION', 'FREE', 'REPETITION', 'Free', 'Purpose', 'batch_size', 'counts',
           'experiment', 'first_difference', 'flat', 'identity', 'is_place', 'together']

Purpose = Literal['repetition', 'continuation']
REPETITION: Purpose = 'repetition'
"""Asked of two runs: do they repeat one experiment?"""
CONTINUATION: Purpose = 'continuation'
"""Asked of a run and a config: does it go on with what the run began?"""

DATA = '<data>'
"""Stands in the place of a folder or file whose content is named by its hash."""


@dataclass(frozen=True)
class Free:
    """A key that may differ within one experiment."""

    key: str
    """Dotted; `*` stands for one part or for some of its letters, a first `**` for any number of
    parts. What is below it is free too."""
    reason: str
    purposes: tuple[Purpose, ...] = (REPETITION, CONTINUATION)
    values: tuple[object, ...] = ()
    """If any, only these are alike, and none at all is like them."""


_LOADS = 'how fast data come; views are drawn from seed, image and epoch, whoever loads them'
_CACHES = 'where computed values are kept, not what they are'
_SAYS = 'what is logged and shown'
_MACHINE = 'how the machine is used'

FREE = (
    Free('randomness', 'runs with other seeds repeat the experiment', (REPETITION, )),
    Free('**.seed', 'as `randomness`; that of a data set, which chooses the data, counts where no '
         'hash names these', (REPETITION, )),
    Free('**.fold', 'as `randomness`: the folds of a cross-validation repeat the experiment',
         (REPETITION, )),
    Free('train_cfg.max_epochs', 'a run may go on for longer', (CONTINUATION, )),
    Free('work_dir', 'where the run is written'),
    Free('experiment_name', 'what the run is called'),
    Free('resume', 'whether it was stopped in between'),
    Free('launcher', _MACHINE),
    Free('env_cfg', _MACHINE),
    Free('*_dataloader.num_workers', _LOADS),
    Free('*_dataloader.persistent_workers', _LOADS),
    Free('*_dataloader.prefetch_factor', _LOADS),
    Free('*_dataloader.pin_memory', _LOADS),
    Free('*_dataloader.pin_memory_device', _LOADS),
    Free('*_dataloader.multiprocessing_context', _LOADS),
    Free('*_dataloader.timeout', _LOADS),
    Free('*_dataloader.disable_subprocess_warning', _SAYS),
    Free('execution.cache_gb', _CACHES),
    Free('execution.decoded_cache', _CACHES),
    Free('execution.trunk_cache', _CACHES + '; False computes otherwise',
         values=('auto', True)),
    Free('execution.trunk_engine', 'chosen by measurement, and kept in the run',
         values=('auto', )),
    Free('default_hooks.checkpoint.interval', 'the last epoch is saved always, and so is the best'),
    Free('default_hooks.checkpoint.max_keep_ckpts', 'the two newest are kept'),
    Free('default_hooks.logger', _SAYS),
    Free('default_hooks.timer', _SAYS),
    Free('default_hooks.visualization', _SAYS),
    Free('visualizer', _SAYS),
    Free('log_processor', _SAYS),
    Free('log_level', _SAYS),
)
"""Everything that is not the experiment. What is not listed here is."""

# Where a config says which folder or file its data are in, below a `*_dataloader`.
_PLACES = ('data_root', 'path')


def identity(config: Mapping[str, object], data_hash: str | None = None) -> str:
    """SHA-256 of the experiment: equal for two runs that repeat it.

    Args:
        config: A resolved config.
        data_hash: What names the content of its data. Then the place of the data does not count.

    >>> one = dict(work_dir='a', randomness=dict(seed=1), train_dataloader=dict(num_workers=2))
    >>> two = dict(work_dir='b', randomness=dict(seed=2), train_dataloader=dict(num_workers=0))
    >>> identity(one) == identity(two)
    True
    """
    text = json.dumps([data_hash, experiment(config, data_hash)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def together(config: Mapping[str, Any], count: int) -> Mapping[str, Any]:
    """What several processes with this config do, as the config of one: its batches are larger.

    >>> together({'train_dataloader': {'batch_size': 10}}, 2)
    {'train_dataloader': {'batch_size': 20}}
    """
    size = batch_size(config)
    if count == 1 or not size:
        return config
    return {**config, 'train_dataloader': {**config['train_dataloader'],
                                           'batch_size': count * size}}


def batch_size(config: Mapping[str, Any]) -> int | None:
    """Of training, in one process; None where a config, which may be a damaged one, has none.

    >>> batch_size({'train_dataloader': {'batch_size': 10}}), batch_size({'train_dataloader': 3})
    (10, None)
    """
    loader = config.get('train_dataloader')
    size = loader.get('batch_size') if isinstance(loader, Mapping) else None
    return size if isinstance(size, int) else None


def experiment(config: Mapping[str, object], data_hash: str | None = None,
               purpose: Purpose = REPETITION) -> dict[str, object]:
    """The keys that are the experiment, dotted, with their values.

    Args:
        config: A resolved config.
        data_hash: What names the content of its data; None where nothing does.
        purpose: REPETITION or CONTINUATION.

    >>> experiment(dict(log_level='INFO', model=dict(depth=50.0, out=(3, ))))
    {'model.depth': 50, 'model.out.0': 3}
    """
    values = flat(config)
    place = _data_place(values) if data_hash else None
    return {key: DATA if place is not None and is_place(key) and value == place else value
            for key, value in values.items()
            if counts(key, value, purpose) or (data_hash is None and _chooses_data(key))}


def first_difference(stored: Mapping[str, object], now: Mapping[str, object],
                     purpose: Purpose = CONTINUATION, stored_data: str | None = None,
                     data: str | None = None) -> str:
    """The first key of the experiment that two configs have different, in words, or ''.

    Args:
        stored: The resolved config of a run.
        now: Another one.
        purpose: REPETITION or CONTINUATION.
        stored_data: What names the content of the run's data, if known.
        data: What names that of the other's.

    >>> first_difference(dict(model=dict(depth=18)), dict(model=dict(depth=50)))
    '`model.depth` is 50, was 18'
    """
    if stored_data and data and stored_data != data:
        return f'its data are others: their hash is {data[:8]}, was {stored_data[:8]}'
    known = stored_data if stored_data == data else None
    before, after = (experiment(config, known, purpose) for config in (stored, now))
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) or type(before.get(key)) is not type(after.get(key)):
            return f'`{key}` is {after.get(key)!r}, was {before.get(key)!r}'
    return ''


def counts(key: str, value: object, purpose: Purpose = REPETITION) -> bool:
    """Whether a dotted key with a value is part of the experiment.

    >>> counts('optim_wrapper.optimizer.lr', 0.1), counts('val_dataloader.num_workers', 2)
    (True, False)
    """
    return not any(purpose in free.purposes and _covers(free.key, key)
                   and (not free.values or value in free.values) for free in FREE)


def is_place(key: str) -> bool:
    """Whether a dotted key says where data lie.

    >>> is_place('val_dataloader.dataset.data_root'), is_place('model.path')
    (True, False)
    """
    parts = key.split('.')
    return parts[0].endswith('_dataloader') and parts[-1] in _PLACES


def flat(section: object, prefix: str = '') -> dict[str, object]:
    """Every value by its dotted key, items of lists by their numbers; what is empty is a value.

    Numbers that are equal are alike whether whole or not, and a class is its name.

    >>> flat(dict(model=dict(depth=18.0, out=(1, 2), loss={})))
    {'model.depth': 18, 'model.out.0': 1, 'model.out.1': 2, 'model.loss': {}}
    """
    items: Iterable[tuple[object, object]]
    if isinstance(section, Mapping) and section:
        items = section.items()
    elif isinstance(section, list | tuple) and section:
        items = enumerate(section)
    else:
        return {prefix: _plain(section)}
    return {name: value for key, child in items
            for name, value in flat(child, f'{prefix}.{key}' if prefix else str(key)).items()}


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return []
    if isinstance(value, Mapping):
        return {}
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value if value is None or isinstance(value, bool | int | str) else named(value)


def _covers(pattern: str, key: str) -> bool:
    """Whether a key is what a pattern names, or lies below it."""
    wanted, parts = pattern.split('.'), key.split('.')
    if wanted[0] == '**':
        return wanted[-1] in parts
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))


def _chooses_data(key: str) -> bool:
    parts = key.split('.')
    return parts[0].endswith('_dataloader') and 'dataset' in parts and parts[-1] == 'seed'


def _data_place(values: Mapping[str, object]) -> object:
    """Where the data lie whose content a hash names: those of training, else of another part."""
    for part in PARTS:
        found = {key: value for key, value in values.items() if value is not None
                 and key.startswith(f'{part}_dataloader.') and is_place(key)}
        if found:  # a folder before a file, which may be something else's
            return min(found.items(), key=lambda item: not item[0].endswith(_PLACES[0]))[1]
    return None
