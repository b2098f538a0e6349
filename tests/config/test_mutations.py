"""Every key of every shipped config, misspelt in every way that fingers misspell."""

import ast
import keyword
import random
import re
import shutil
import string
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from generated import config_files

from amlnn.config.load import load_config
from amlnn.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
LETTERS = string.ascii_lowercase

# Places where any name may stand: none of them can be checked. At most 2 % of all keys.
FREE_FORM: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Key:
    """One key where it is written."""

    file: str
    """Relative to the folder of configs."""
    line: int
    column: int
    name: str
    siblings: frozenset[str]


def keys_of(path: Path, root: Path) -> list[Key]:
    """Every top-level name, keyword of `dict(...)` and string key of a config file."""
    text = path.read_text(encoding='utf-8')
    tree = ast.parse(text)
    file = path.relative_to(root).as_posix()
    found = []
    names = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    top = frozenset(node.id for node in names)
    found += [Key(file, node.lineno, node.col_offset, node.id, top - {node.id}) for node in names]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) \
                and node.func.id == 'dict':
            words = [word for word in node.keywords if word.arg]
            every = frozenset(word.arg for word in words)
            found += [Key(file, word.lineno, word.col_offset, word.arg, every - {word.arg})
                      for word in words]
        elif isinstance(node, ast.Dict):
            words = [key for key in node.keys if isinstance(key, ast.Constant)]
            every = frozenset(word.value for word in words)
            found += [Key(file, word.lineno, word.col_offset + 1, word.value,
                          every - {word.value}) for word in words]
    return found


def users_of(root: Path) -> dict[str, str]:
    """For every config file the one that is run, inherits from it, and keeps most of it.

    A base that no config uses yet is loaded alone.
    """
    found: dict[str, list[str]] = {path.relative_to(root).as_posix(): []
                                   for path in config_files(root)}

    def visit(path: Path, runner: str) -> None:
        found[path.relative_to(root).as_posix()].append(runner)
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':
                bases = ast.literal_eval(node.value)
                for base in [bases] if isinstance(bases, str) else bases:
                    if '::' not in base:
                        visit((path.parent / base).resolve(), runner)

    runners = [path for path in config_files(root) if '_base_' not in path.parts]
    kept = {}
    for path in runners:
        name = path.relative_to(root).as_posix()
        visit(path.resolve(), name)
        kept[name] = Counter(origin.rpartition(':')[0] for origin in
                             load_config(path).origins.values())

    return {name: name if '_base_' not in name else max(
        found[name], default=name, key=lambda runner: kept[runner][f'{root.name}/{name}'])
        for name in found}


def drop(name: str, chance: random.Random) -> str:
    at = chance.randrange(len(name))
    return name[:at] + name[at + 1:]


def double(name: str, chance: random.Random) -> str:
    at = chance.randrange(len(name))
    return name[:at] + name[at] + name[at:]


def swap(name: str, chance: random.Random) -> str:
    if len(name) < 2:
        return name
    at = chance.randrange(len(name) - 1)
    return name[:at] + name[at + 1] + name[at] + name[at + 2:]


def replace(name: str, chance: random.Random) -> str:
    at = chance.randrange(len(name))
    return name[:at] + chance.choice(LETTERS) + name[at + 1:]


EDITS = (drop, double, swap, replace)


class Bench:
    """A copy of the configs in which one key at a time is misspelt."""

    def __init__(self, root: Path):
        self.root = root
        self.users = users_of(root)
        self.texts = {path.relative_to(root).as_posix(): path.read_text(encoding='utf-8')
                      for path in config_files(root)}
        self.keys = [key for name in sorted(self.texts) for key in keys_of(root / name, root)]

    def misspell(self, key: Key, name: str) -> ConfigError | None:
        """What loading the config says after `key` was written as `name`."""
        lines = self.texts[key.file].splitlines(keepends=True)
        line = lines[key.line - 1]
        assert line[key.column:].startswith(key.name)
        lines[key.line - 1] = line[:key.column] + name + line[key.column + len(key.name):]
        path = self.root / key.file
        path.write_text(''.join(lines), encoding='utf-8')
        try:
            load_config(self.root / self.users[key.file])
        except ConfigError as error:
            return error
        finally:
            path.write_text(self.texts[key.file], encoding='utf-8')
        return None


@pytest.fixture
def bench(tmp_path, monkeypatch) -> Bench:
    root = tmp_path / 'configs'
    shutil.copytree(CONFIGS, root, ignore=shutil.ignore_patterns('__pycache__'))
    monkeypatch.chdir(tmp_path)
    return Bench(root.resolve())


def is_no_slip(key: Key, name: str) -> bool:
    """Whether a draw is no misspelling to be found: another key, or not a name at all."""
    return name == key.name or name in key.siblings or not name.isidentifier() \
        or keyword.iskeyword(name)


def draw(key: Key, edits, chance: random.Random, redrawn: Counter) -> str | None:
    for _ in range(20):
        name = key.name
        for edit in edits:
            name = edit(name, chance) if name else name
        if name and not is_no_slip(key, name):
            return name
        redrawn['equals another key' if name in key.siblings else 'no change or no name'] += 1
    return None


def first_named(error: ConfigError) -> str:
    """The last part of the first name that a hint puts between backticks."""
    found = re.search(r'`([^`]+)`', error.hint)
    return found[1].rpartition('.')[2] if found else ''


def report(title: str, total: int, accepted: list, unnamed: list, redrawn: Counter) -> str:
    lines = [f'{title}: {total} misspellings, {total - len(accepted)} rejected '
             f'({100 * (1 - len(accepted) / total):.2f} %), right name first in '
             f'{100 * (1 - len(unnamed) / total):.2f} %; redrawn: {dict(redrawn)}']
    lines += [f'  accepted: {key.file}:{key.line} {key.name} -> {name}' for key, name in accepted]
    lines += [f'  not named: {key.file}:{key.line} {key.name} -> {name}: {error.message} | '
              f'{error.hint}' for key, name, error in unnamed[:40]]
    return '\n'.join(lines)


def run(bench: Bench, kinds: list[tuple], draws: int, title: str,
        by_turns: bool = False) -> tuple[int, list, list]:
    chance = random.Random(20)
    accepted, unnamed, redrawn, total = [], [], Counter(), 0
    for number, key in enumerate(bench.keys):
        if (key.file, key.name) in FREE_FORM:
            continue
        chosen = [kinds[number % len(kinds)]] if by_turns else kinds
        names = {draw(key, edits, chance, redrawn) for edits in chosen for _ in range(draws)}
        for name in sorted(names - {None}):
            total += 1
            error = bench.misspell(key, name)
            if error is None:
                accepted.append((key, name))
            elif first_named(error) != key.name:
                unnamed.append((key, name, error))
    print(report(title, total, accepted, unnamed, redrawn))
    return total, accepted, unnamed


def test_the_configs_that_are_misspelt_load_as_they_are(bench):
    assert len(bench.keys) > 150
    for user in set(bench.users.values()):
        load_config(bench.root / user)


def test_at_most_two_percent_of_the_keys_are_free_form(bench):
    assert len(FREE_FORM) <= 0.02 * len(bench.keys)


def test_one_slip_in_any_key_is_rejected_with_the_right_name_first(bench):
    total, accepted, unnamed = run(bench, [(edit,) for edit in EDITS], 1, 'one edit', by_turns=True)
    assert total > 400
    assert not accepted
    assert len(unnamed) <= 0.02 * total


@pytest.mark.slow
def test_two_slips_in_a_key_are_mostly_named_too(bench):
    kinds = [(first, second) for first in EDITS for second in EDITS]
    chance = random.Random(7)
    total, accepted, unnamed = run(bench, chance.sample(kinds, 4), 1, 'two edits')
    assert total > 500
    assert len(accepted) + len(unnamed) <= 0.1 * total


@pytest.mark.slow
def test_no_slip_of_five_of_each_kind_is_accepted(bench):
    total, accepted, unnamed = run(bench, [(edit,) for edit in EDITS], 5, 'one edit, five draws')
    assert total > 1000
    assert not accepted
    assert len(unnamed) <= 0.02 * total
