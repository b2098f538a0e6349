"""Which runs are seeds of one configuration, and what to call each configuration."""

import ast
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from amlnn.results.store import StoredRun

__all__ = ['Group', 'group_runs', 'settings']

# Keys of a resolved config, at any depth, that change between seeds and restarts of an experiment.
_NOT_THE_EXPERIMENT = {'randomness', 'seed', 'work_dir', 'resume', 'launcher'}


@dataclass
class Group:
    """Runs of one configuration that differ by their seed only."""

    name: str
    runs: list[StoredRun]
    """The runs that count: one a seed, finished ones if there are any; newest first to last."""
    left_out: list[tuple[StoredRun, str]] = field(default_factory=list)
    """Other runs of the same configuration, each with the reason."""


def group_runs(runs: Sequence[StoredRun]) -> list[Group]:
    """Put runs of the same configuration together, in the order of their first run.

    The same configuration means: the same config name, the same resolved config apart from the
    seed, the same data. Of two runs with one seed the later counts; unfinished runs count only
    where no run of the configuration finished.
    """
    by_key: dict[tuple, list[StoredRun]] = {}
    for run in runs:
        by_key.setdefault(_key(run), []).append(run)
    groups = [_group(members) for members in by_key.values()]
    _name(groups)
    return groups


def _group(members: list[StoredRun]) -> Group:
    done = [run for run in members if run.record.status == 'done']
    eligible = done or members
    newest: dict[int, StoredRun] = {}
    for run in sorted(eligible, key=lambda run: (run.record.started, run.folder.name)):
        newest[run.record.seed] = run
    counted = [newest[seed] for seed in sorted(newest)]
    left_out = []
    for run in members:
        if any(run is other for other in counted):
            continue
        repeated = any(run is other for other in eligible)
        left_out.append((run, f'seed {run.record.seed} was run again' if repeated
                         else f'{run.record.status}, and others of this config finished'))
    return Group(counted[0].record.config_name, counted, left_out)


def _key(run: StoredRun) -> tuple:
    record = run.record
    return (record.config_name, record.kind, record.data_manifest_hash,
            _experiment(run) or record.config_hash)


def _experiment(run: StoredRun) -> str | None:
    """The run's resolved config without what differs between seeds; None if it is not readable."""
    try:
        tree = ast.parse((run.folder / 'config.py').read_text(encoding='utf-8'))
    except (OSError, SyntaxError, ValueError):
        return None
    kept = [node for node in _Experiment().visit(tree).body if isinstance(node, ast.Assign)]
    return '\n'.join(sorted(map(ast.dump, kept)))


class _Experiment(ast.NodeTransformer):
    """Removes what is not the experiment: `seed = 1`, `dict(seed=1)`, `{'seed': 1}`."""

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        return None if names & _NOT_THE_EXPERIMENT else self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.keyword | None:
        return None if node.arg in _NOT_THE_EXPERIMENT else self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> ast.Dict:
        kept = [(key, value) for key, value in zip(node.keys, node.values, strict=True)
                if not (isinstance(key, ast.Constant) and key.value in _NOT_THE_EXPERIMENT)]
        node.keys, node.values = map(list, zip(*kept, strict=True)) if kept else ([], [])
        return self.generic_visit(node)


def settings(run: StoredRun) -> dict[str, str]:
    """The run's resolved config as the source text of each value by its dotted key.

    Empty if it cannot be read. `model.encoder.hidden_size` is `'64'`.
    """
    try:
        tree = ast.parse((run.folder / 'config.py').read_text(encoding='utf-8'))
    except (OSError, SyntaxError, ValueError):
        return {}
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found |= _flat(node.value, node.targets[0].id)
    return found


def _flat(node: ast.expr, key: str) -> dict[str, str]:
    if isinstance(node, ast.Call) and node.keywords and not node.args:
        pairs = [(each.arg, each.value) for each in node.keywords]
    elif isinstance(node, ast.Dict) and node.keys:
        pairs = [(each.value if isinstance(each, ast.Constant) else ast.unparse(each), value)
                 for each, value in zip(node.keys, node.values, strict=True) if each is not None]
    else:
        return {key: ast.unparse(node)}
    return {name: text for part, value in pairs
            for name, text in _flat(value, f'{key}.{part}').items()}


def _name(groups: list[Group]) -> None:
    """Tell configurations of one name apart.

    By their overrides on the command line, else by what differs in their configs, else by their run
    folder.
    """
    for describe in (lambda same: [_overrides(group.runs[0]) for group in same], _differences,
                     lambda same: [group.runs[0].folder.name for group in same]):
        repeated = {name for name, n in Counter(group.name for group in groups).items() if n > 1}
        for name in repeated:
            same = [group for group in groups if group.name == name]
            for group, extra in zip(same, describe(same), strict=True):
                group.name = f'{group.runs[0].record.config_name} {extra}'.strip()


def _differences(groups: list[Group]) -> list[str]:
    """Values by which the configs of the groups differ, each key by its last part: `append=2`."""
    known = [settings(group.runs[0]) for group in groups]
    keys = [key for key in dict.fromkeys(key for each in known for key in each)
            if len({each.get(key) for each in known}) > 1
            and not _NOT_THE_EXPERIMENT & set(key.split('.'))]
    if len(keys) > 4:  # they have little more than the name in common
        return [''] * len(groups)
    return [' '.join(f'{key.rpartition(".")[2]}={each[key]}' for key in keys if key in each)
            for each in known]


def _overrides(run: StoredRun) -> str:
    """What `--cfg-options` set, each key by its last part: `lr=0.001`."""
    words = run.record.command
    if '--cfg-options' not in words:
        return ''
    shown = []
    for word in words[words.index('--cfg-options') + 1:]:
        if word.startswith('--') or '=' not in word:
            break
        shown.append(re.sub(r'^[^=]*\.', '', word))
    return ' '.join(shown)
