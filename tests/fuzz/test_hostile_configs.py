"""Configs that hold what no config should: checking one ends with a result or two lines."""

import json

import pytest
from fuzzing import Tally, fuzz
from generated import ROOT, config_files
from hostile_values import ODD_TEXT, PRELUDE, odd_bytes, options, values
from hypothesis import strategies as st

from amlnn.commands.check_config import check_names
from amlnn.config.load import load_config
from amlnn.config.report import check_files
from amlnn.config.resolved import resolved_text

pytestmark = pytest.mark.slow

RUNNERS = [path for path in config_files() if '_base_' not in path.parts]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def check(path, words=()):
    return check_files([str(path)], words, show=True, second_tier=check_names)


def key_paths(value, at=()):
    """The path of every key and of every element of a list."""
    items = dict.items(value) if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list | tuple) else ()
    for key, item in items:
        yield (*at, key)
        yield from key_paths(item, (*at, key))


@pytest.fixture(scope='module')
def places():
    """A shipped config and the path of one of its keys: every place where a value can stand."""
    every = [(path, keys) for path in RUNNERS for keys in key_paths(load_config(path).config)]
    assert len(every) > 5000
    return every


def overlay(keys, value, delete):
    """A child's statement that sets one key."""
    names = [key for key in keys if isinstance(key, str)]  # down to a list, which it replaces
    text = value
    for name in reversed(names[1:]):
        text = '{' + (f"'_delete_': {delete}, " if delete else '') + f'{name!r}: {text}}}'
    return f'{names[0]} = {text}\n'


def edit(keys, value):
    """A child's statement that changes what it inherits in place."""
    top, *inner = keys
    return f'{top} = _base_.{top}\n' + (
        f'{top}{"".join(f"[{key!r}]" for key in inner)} = {value}\n' if inner else '')


def test_any_value_under_any_key_of_a_shipped_config(tmp_path, places):
    tally, child = Tally(), tmp_path / 'child.py'

    def look(drawn):
        index, value, delete, in_place = drawn
        path, keys = places[index % len(places)]
        text = edit(keys, value) if in_place else overlay(keys, value, delete)
        child.write_text(f'_base_ = {str(path)!r}\n{PRELUDE}{text}', encoding='utf-8',
                         errors='surrogatepass')
        tally.count(lambda: check(child), f'{path.name}: {text}')

    cases = fuzz(st.tuples(st.integers(0, 10**6), values,
                           st.one_of(st.none(), st.none(), values), st.booleans()), 2800, look)
    tally.check(cases)


def test_any_value_in_a_whole_config(tmp_path, places):
    tally, path = Tally(), tmp_path / 'whole.py'
    marked = {}

    def look(drawn):
        index, value, remove = drawn
        shipped, keys = places[index % len(places)]
        if shipped not in marked:
            marked[shipped] = load_config(shipped).config
        text = replaced(marked[shipped], keys, value, remove)
        path.write_text(PRELUDE + text, encoding='utf-8', errors='surrogatepass')
        tally.count(lambda: check(path), f'{shipped.name}: {keys} = {value}, removed: {remove}')

    cases = fuzz(st.tuples(st.integers(0, 10**6), values, st.booleans()), 1200, look)
    tally.check(cases)


def replaced(config, keys, value, remove):
    """The text of a config in which one key has another value, or is not there."""
    def copy(item):
        if isinstance(item, dict):
            return {key: copy(inner) for key, inner in dict.items(item)}
        return [copy(inner) for inner in item] if isinstance(item, list | tuple) else item

    result = inner = copy(config)
    for key in keys[:-1]:
        inner = inner[key]
    if remove:
        del inner[keys[-1]]
        return resolved_text(result)
    inner[keys[-1]] = 'THE VALUE'
    return resolved_text(result).replace("'THE VALUE'", value)


def test_any_bytes_in_a_config_file(tmp_path):
    tally, path = Tally(), tmp_path / 'torn.py'
    texts = {each: each.read_text(encoding='utf-8') for each in config_files()}

    def look(drawn):
        index, edits = drawn
        shipped = list(texts)[index % len(texts)]
        content = texts[shipped].replace("'../", f"'{shipped.parent.parent}/") \
            .replace("'_base_/", f"'{ROOT}/configs/_base_/").encode()
        for place, cut, new in edits:
            at = place % (len(content) + 1)
            content = content[:at] + new + content[at + cut:]
        path.write_bytes(content)
        tally.count(lambda: check(path), f'{shipped.name}: {edits}')

    edits = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 5), odd_bytes), min_size=1,
                     max_size=3)
    cases = fuzz(st.tuples(st.integers(0, 500), edits), 1200, look)
    tally.check(cases)


def test_any_options(tmp_path):
    tally = Tally()

    def look(drawn):
        index, words = drawn
        path = RUNNERS[index % len(RUNNERS)]
        tally.count(lambda: check(path, words), f'{path.name} --cfg-options {words!r}')

    cases = fuzz(st.tuples(st.integers(0, 500), st.lists(options, min_size=1, max_size=3)), 1500,
                 look)
    tally.check(cases)


def test_any_bases_and_imports(tmp_path):
    tally = Tally()
    names = ['a.py', 'b.py', 'c.py']
    base = st.one_of(
        values, ODD_TEXT.map(repr), st.sampled_from(names).map(repr),
        st.lists(st.one_of(st.sampled_from([*names, '.', '', 'a', 'x.py', 'mmpretrain::a.py',
                                            str(RUNNERS[0])]), ODD_TEXT).map(repr), max_size=3)
        .map(lambda items: f'[{", ".join(items)}]'))
    imports = st.one_of(values.map(lambda value: f'custom_imports = {value}\n'), values.map(
        lambda value: f'custom_imports = dict(imports={value})\n'), st.lists(st.one_of(
            st.sampled_from(['os', 'own', 'own.sub', 'a', '.own', 'own.', 'torch', 'this_is_not',
                             'broken', 'ends', 'amlnn.config']), ODD_TEXT).map(repr),
                             max_size=3).map(
            lambda items: f'custom_imports = dict(imports=[{", ".join(items)}])\n'), st.just(''))
    statement = st.one_of(base.map(lambda value: f'_base_ = {value}\n'), imports, st.tuples(
        st.sampled_from(['model', 'train_cfg', 'x', '_x', 'data']), values).map(
            lambda pair: f'{pair[0]} = {pair[1]}\n'))
    (tmp_path / 'own.py').write_text('model = 1\n')
    (tmp_path / 'broken.py').write_text('def (\n')
    (tmp_path / 'ends.py').write_text('raise SystemExit(0)\n')

    def look(files):
        for name, statements in zip(names, files, strict=True):
            (tmp_path / name).write_text(PRELUDE + ''.join(statements), encoding='utf-8',
                                         errors='surrogatepass')
        tally.count(lambda: check(tmp_path / 'a.py'), repr(files))

    cases = fuzz(st.tuples(*[st.lists(statement, min_size=1, max_size=3)] * 3), 1000, look)
    tally.check(cases)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ODD_TEXT,
              st.just(10**400), st.just('{{_base_.model}}'), st.just('{{_base_.x.y}}')),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.one_of(ODD_TEXT, st.sampled_from(['type', '_base_', '_delete_'])), inner, max_size=3)),
    max_leaves=6)


def test_any_json_and_yaml(tmp_path):
    tally = Tally()
    keys = st.one_of(ODD_TEXT, st.sampled_from(['model', 'train_cfg', '_base_', 'custom_imports',
                                                'optim_wrapper', 'train_dataloader']))
    yaml_text = st.one_of(st.text(':-{}[]!&*|>\'"#%@`,?ab01 \n\t', max_size=30), st.sampled_from([
        'a: !!python/object/apply:os.system [x]', '&a [*a]', 'a: &a\n  b: *a', '<<: 1', '<<: [1]',
        '? [1]\n: 2', '1: 2', 'a: 2020-13-45', 'a: !!binary "x"', '--- 1\n--- 2', 'a: 0x',
        'a: .inf',
        'a: !!int x', 'a: !!timestamp x', 'a: !!float x', 'a: !!set {x}', 'a: !!omap [1]', '\0',
        'a: ' + '[' * 3000, '{' * 3000, 'a: 1:60:60', 'a: 2020-01-01', 'a: !!bool x']))
    text = st.one_of(
        st.dictionaries(keys, json_values, max_size=4).map(json.dumps), json_values.map(json.dumps),
        yaml_text, st.integers(1, 100000).map(lambda n: '[' * n), st.text(max_size=20))

    def look(drawn):
        ending, content = drawn
        path = tmp_path / f'data{ending}'
        path.write_text(content, encoding='utf-8', errors='surrogatepass')
        tally.count(lambda: check(path), f'{ending}: {content!r}')

    cases = fuzz(st.tuples(st.sampled_from(['.json', '.yaml', '.yml']), text), 800, look)
    tally.check(cases)
