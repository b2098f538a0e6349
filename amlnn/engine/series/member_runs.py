"""Members of a blend that are named by their configs: they are trained before it.

A member is trained on the data of the blend, horizon and parts included, by its own recipe: model,
schedule, look-back. Its run lies in `members` of the blend's folder, named by what it is, so that
none is trained twice and a stopped one goes on.
"""

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from amlnn.config.experiment import experiment
from amlnn.config.kind import PARTS
from amlnn.config.load import LoadedConfig, load_config
from amlnn.config.options import option
from amlnn.console import say
from amlnn.engine.options import TrainOptions
from amlnn.errors import ConfigError
from amlnn.records import is_done

__all__ = ['MEMBERS', 'is_config', 'member_configs', 'planned_members', 'trained_members']

MEMBERS = 'members'
"""The folder of their runs."""

_OWN = ('look_back', 'stride')  # of its data, what belongs to a member's recipe


def is_config(named: object) -> bool:
    """Whether a member is named by its config, and not by its run."""
    return (isinstance(named, Mapping) and 'config' in named) \
        or (isinstance(named, str) and (named.endswith('.py') or '::' in named))


def member_configs(loaded: LoadedConfig) -> Iterator[tuple[int, LoadedConfig]]:
    """Place and config of each member that is named by one, on the data of the blend.

    Raises:
        ConfigError: a member is no path and options, or its config is wrong.
    """
    members = loaded.config['model'].get('members')
    for place, named in enumerate(members if isinstance(members, list | tuple) else ()):
        if is_config(named):
            yield place, _load(loaded, dict(named) if isinstance(named, Mapping)
                               else {'config': named}, place)


def _load(loaded: LoadedConfig, named: dict, place: int) -> LoadedConfig:
    key = f'model.members.{place}'
    where = loaded.origins.get(key) or loaded.origins.get('model.members') or str(loaded.path)
    options = named.get('options') or {}
    if not isinstance(named['config'], str) or not isinstance(options, Mapping):
        raise ConfigError(f'{where}: `{key}` is {named!r}', hint="a config, a run folder, or "
                          "dict(config='etth1_ridge.py', options={'train_dataloader.dataset."
                          "look_back': 336})")
    path = _beside(where.rpartition(':')[0], named['config'])
    given = [option(name, value) for name, value in options.items()]
    try:
        return load_config(path, [*given, *_data_options(
            loaded.config, load_config(path, given).config)])
    except ConfigError as error:
        raise ConfigError(f'{where}: `{key}`: {error.message}', hint=error.hint) from None


def _beside(file: str, path: str) -> str:
    """A config as it is loaded, that another one names."""
    if '::' in path or Path(path).is_absolute():
        return path
    package, colons, inside = file.rpartition('::')
    beside = os.path.normpath(Path(inside).parent / path)
    return f'{package}{colons}{beside}' if colons or Path(beside).is_file() else path


def _data_options(config: Mapping[str, Any], member: Mapping[str, Any]) -> list[str]:
    """The data of a blend as overrides of a member's config."""
    found = []
    for part in PARTS:
        section, own = ((each.get(f'{part}_dataloader') or {}).get('dataset')
                        for each in (config, member))
        if not section or own is None:
            continue
        value = {name: item for name, item in section.items() if name not in _OWN}
        value |= {name: own[name] for name in _OWN if name in own}
        found.append(option(f'{part}_dataloader.dataset', {**value, '_delete_': True}))
    return found


def planned_members(loaded: LoadedConfig) -> list[object]:
    """The members as they are named, and of those that are configs what they are."""
    found: list[object] = list(loaded.config['model']['members'])
    for place, member in member_configs(loaded):
        found[place] = experiment(member.config)
    return found


def trained_members(loaded: LoadedConfig, options: TrainOptions, console: Console,
                    identity_of: Callable[[TrainOptions], str],
                    train: Callable[[TrainOptions], Path | None]) -> LoadedConfig | None:
    """The config of a blend whose members are runs; those that were configs are trained.

    Args:
        loaded: The blend's.
        options: With which the blend is trained.
        console: Where it is said which one is trained.
        identity_of: Names a training (`planned_identity`).
        train: Trains, and gives the run folder.

    Returns:
        None after a dry run, which trains nothing.

    Raises:
        AmlnnError: a member cannot be trained.
    """
    wanted = list(member_configs(loaded))
    if not wanted:
        return loaded
    members = list(loaded.config['model']['members'])
    parent = (options.work_dir or loaded.work_dir) / MEMBERS
    seed = loaded.seed if options.seed is None else options.seed
    for number, (place, member) in enumerate(wanted, 1):
        asked = TrainOptions(member, device=options.device, work_dir=parent, seed=seed,
                             dry_run=options.dry_run, data_changed=options.data_changed)
        name = f'{member.name}-{identity_of(asked)[:12]}-s{seed}'
        told = f'member {number} of {len(wanted)}: {member.name}'
        if is_done(parent / name):
            say(console, f'{told}, trained before: {parent / name}', 'note')
        else:
            say(console, told, 'note')
            train(replace(asked, run_name=name))
        members[place] = str(parent / name / 'best.pth')
    if options.dry_run:
        say(console, 'dry run: the members were tried; the blend itself is fitted to trained ones')
        return None
    config = copy.deepcopy(loaded.config)
    config['model']['members'] = members
    return replace(loaded, config=config)
