"""Which runs are seeds of one configuration, and what to call each configuration."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amlnn.config.experiment import counts, experiment, flat, identity, is_place
from amlnn.results.store import StoredRun
from amlnn.run_folder import start_order

__all__ = ['Group', 'group_runs', 'identity_of', 'repetition', 'settings', 'titles']


@dataclass
class Group:
    """Runs of one configuration that differ by their seed only."""

    name: str
    runs: list[StoredRun]
    """The runs that count: one a seed and fold, the newest, finished ones if there are any."""
    left_out: list[tuple[StoredRun, str]] = field(default_factory=list)
    """Other runs of the same configuration, each with the reason."""


def group_runs(runs: Sequence[StoredRun]) -> list[Group]:
    """Put runs of the same configuration together, in the order of their first run.

    The same configuration means: one experiment (`amlnn.config.experiment`) under one config name,
    which a table's row and a reported figure go by. Of two runs with one seed the later counts;
    unfinished runs count only where no run of the configuration finished.

    >>> groups = group_runs([tiny_run(seed=0), tiny_run(seed=1), tiny_run('other')])
    >>> [(group.name, len(group.runs)) for group in groups]
    [('tiny', 2), ('other', 1)]
    """
    by_key: dict[tuple[str, ...], list[StoredRun]] = {}
    for run in runs:
        by_key.setdefault(_key(run), []).append(run)
    groups = [_group(members) for members in by_key.values()]
    _name(groups)
    return groups


def _group(members: list[StoredRun]) -> Group:
    done = [run for run in members if run.record.status == 'done']
    eligible = done or members
    newest: dict[tuple[int, int], StoredRun] = {}
    for run in sorted(eligible, key=lambda run: start_order(run.folder.name, run.record.started)):
        newest[repetition(run)] = run
    counted = [newest[place] for place in sorted(newest)]
    left_out = []
    for run in members:
        if any(run is other for other in counted):
            continue
        repeated = any(run is other for other in eligible)
        left_out.append((run, f'seed {run.record.seed} was run again' if repeated
                         else f'{run.record.status}, and others of this config finished'))
    return Group(counted[0].record.config_name, counted, left_out)


def _key(run: StoredRun) -> tuple[str, ...]:
    record = run.record
    return (record.config_name, record.kind, identity_of(run))


def identity_of(run: StoredRun) -> str:
    """The identity (`amlnn.config.experiment`) of what a run trained.

    It is computed anew where the config can be read, so that runs of any version compare.

    >>> identity_of(tiny_run(seed=0)) == identity_of(tiny_run(seed=1))
    True
    """
    record = run.record
    if run.config is None:
        return record.experiment or f'{record.data_manifest_hash} {record.config_hash}'
    return identity(run.config, record.data_manifest_hash)


def repetition(run: StoredRun) -> tuple[int, int]:
    """The seed of a run, and the fold that it validates on; -1 where there are no folds.

    >>> repetition(tiny_run(seed=3))
    (3, -1)
    """
    section = ((run.config or {}).get('val_dataloader') or {}).get('dataset') or {}
    fold = section.get('fold')
    return run.record.seed, fold if isinstance(fold, int) else -1


def settings(run: StoredRun) -> dict[str, object]:
    """The run's resolved config as values by their dotted keys; empty if it cannot be read.

    `model.encoder.hidden_size` is 64; items of lists go by their numbers.

    >>> settings(tiny_run())
    {'model.type': 'tiny', 'model.depth': 18, 'randomness.seed': 0}
    """
    return flat(run.config) if run.config else {}


def titles(groups: Sequence[Group]) -> dict[Path, str]:
    """What each run is called, by its folder.

    The name of its group, and where that has several runs its seed, or its folder if left out.

    >>> list(titles(group_runs([tiny_run(seed=0), tiny_run(seed=1), tiny_run('other')])).values())
    ['tiny, seed 0', 'tiny, seed 1', 'other']
    """
    named = {}
    for group in groups:
        several = len(group.runs) > 1
        for run in group.runs:
            named[run.folder] = f'{group.name}, seed {run.record.seed}' if several else group.name
        for run, _ in group.left_out:
            named[run.folder] = f'{group.name}, {run.folder.name}'
    return named


def _name(groups: list[Group]) -> None:
    """Tell configurations of one name apart.

    By their overrides on the command line, else by what differs in their configs, else by their run
    folder.
    """
    for describe in (_different_overrides, _differences,
                     lambda same: [group.runs[0].folder.name for group in same]):
        repeated = {name for name, n in Counter(group.name for group in groups).items() if n > 1}
        for name in repeated:
            same = [group for group in groups if group.name == name]
            for group, extra in zip(same, describe(same), strict=True):
                group.name = f'{group.runs[0].record.config_name} {extra}'.strip()


def _differences(groups: list[Group]) -> list[str]:
    """Values by which the experiments of the groups differ, by the keys' last parts: `append=2`."""
    known = [experiment(run.config, run.record.data_manifest_hash) if run.config else {}
             for run in (group.runs[0] for group in groups)]
    keys = [key for key in dict.fromkeys(key for each in known for key in each)
            if len({repr(each.get(key)) for each in known}) > 1]
    if len(keys) > 4:  # they have little more than the name in common
        return [''] * len(groups)
    return [' '.join(f'{_short(key)}={each[key]!r}' for key in keys if key in each)
            for each in known]


def _different_overrides(groups: list[Group]) -> list[str]:
    """What `--cfg-options` set differently for the groups."""
    found = [_overrides(group.runs[0]) for group in groups]
    shared = set.intersection(*map(set, found))
    return [' '.join(word for word in words if word not in shared) for words in found]


def _overrides(run: StoredRun) -> list[str]:
    """What `--cfg-options` set of the experiment, each key by its last part: `lr=0.001`."""
    words = run.record.command
    if '--cfg-options' not in words:
        return []
    known = bool(run.record.data_manifest_hash)
    shown = []
    for word in words[words.index('--cfg-options') + 1:]:
        key, equals, value = word.partition('=')
        if word.startswith('--') or not equals:
            break
        if counts(key, value) and not (known and is_place(key)):
            shown.append(f'{_short(key)}={value}')
    return shown


def _short(key: str) -> str:
    """The last part of a dotted key, or the last two where that is a number.

    >>> _short('optim_wrapper.optimizer.lr'), _short('model.backbone.out_indices.0')
    ('lr', 'out_indices.0')
    """
    parts = key.split('.')
    return '.'.join(parts[-2:] if parts[-1].isdigit() else parts[-1:])
