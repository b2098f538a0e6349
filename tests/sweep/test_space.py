"""What a sweep file can say, and what it is told when it says something else."""

import pytest

from amlnn.config.options import option
from amlnn.errors import ConfigError, UsageError
from amlnn.sweep.space import Range, grid, random_points, read_sweep

AXES = "config = 'a.py'\naxes = {'lr': [0.1, 0.01]}\n"


def sweep(tmp_path, text):
    path = tmp_path / 'sweep.py'
    path.write_text(text)
    return read_sweep(path)


@pytest.mark.parametrize(('text', 'message', 'hint'), [
    ("config = 'a.py'\nsedes = 3", 'sweep.py:2: `sedes` is not a key', 'did you mean `seeds`?'),
    ('axes = {}', 'has no `config`', 'config ='),
    ("config = 'a.py'\naxes = {'lr': []}", 'the axis `lr` is []', 'a list of values'),
    ("config = 'a.py'\naxes = {'lr': 0.1}", 'the axis `lr` is 0.1', 'a list of values'),
    ("config = 'a.py'\naxes = {'lr': [1, 1]}", 'has 1 twice', 'take one out'),
    ("config = 'a.py'\naxes = {'lr': dict(low=1, hi=2)}", "'hi': 2", 'low='),
    ("config = 'a.py'\naxes = {'lr': dict(low=2, high=1)}", "'low': 2", 'low is less than high'),
    ("config = 'a.py'\naxes = {'lr': dict(low=1, high=2)}", 'is a range, and a grid', 'step'),
    (AXES + 'seeds = 0', '`seeds` is 0', 'from 1 on'),
    (AXES + 'seeds = [1, 1]', '`seeds` is [1, 1]', 'a list of them'),
    (AXES + "method = 'gird'", "`method` is 'gird'", 'grid, random, tpe, halving'),
    (AXES + "method = 'tpe'", '`trials` is not set', 'trials = 20'),
    (AXES + 'trials = 3', 'a grid has all its trials', "method='random'"),
    (AXES + 'folds = 1', '`folds` is 1', 'from 2 on'),
    (AXES + "test = 'train'", "`test` is 'train'", "'val' or 'test'"),
    (AXES + "baseline = {'lr': 1.0}", '`baseline` is', 'lr'),
    (AXES + 'reported = {0.2: 95.0}', '`reported` has 0.2', 'lr'),
    (AXES + 'prune = True', '`prune` is True', 'tpe'),
    ("_base_ = 'a.py'\nconfig = 'b.py'", 'this is a config', "config = '../"),
    ('import os', 'key = value', 'config'),
    ('config = open("x")', 'not made of literals', 'dict'),
    ('config = (', 'cannot be read', 'literals')])
def test_what_is_wrong_is_named_with_its_line_and_what_to_do(tmp_path, text, message, hint):
    with pytest.raises(ConfigError) as error:
        sweep(tmp_path, text)
    assert message in error.value.message and hint in error.value.hint


def test_no_file_and_no_seed_are_named(tmp_path):
    with pytest.raises(ConfigError, match='no sweep file at'):
        read_sweep(tmp_path / 'none.py')
    with pytest.raises(UsageError, match='--seeds is 0'):
        sweep(tmp_path, AXES).take_seeds(0)


def test_a_grid_is_every_combination():
    points = list(grid({'a': [1, 2], 'b': ['x', 'y', 'z']}))
    assert len(points) == 6 and {tuple(each.values()) for each in points} == {
        (a, b) for a in (1, 2) for b in 'xyz'}


def test_a_range_with_a_step_is_a_list_in_a_grid(tmp_path):
    found = sweep(tmp_path, "config = 'a.py'\naxes = {'w': dict(low=8, high=32, step=8)}")
    assert found.axes == {'w': [8, 16, 24, 32]}


def test_random_points_fill_the_range_as_its_scale_says():
    values = [each['lr'] for each in random_points(
        {'lr': Range(1e-4, 1e-2, log=True)}, 2000, seed=1)]
    assert len(set(values)) == 2000 and min(values) >= 1e-4 and max(values) <= 1e-2
    below = sum(value < 1e-3 for value in values)
    assert 900 < below < 1100  # half of a logarithmic scale
    linear = [each['lr'] for each in random_points({'lr': Range(0, 1)}, 2000, seed=1)]
    assert 450 < sum(value < 0.25 for value in linear) < 550


def test_more_points_than_there_are_is_all_of_them():
    assert len(random_points({'a': [1, 2], 'b': [True, False]}, 50, seed=0)) == 4


@pytest.mark.parametrize('value', ['all', -1, 0.1, True, None, ('a', 'b'), {'type': 'SGD'}, "it's"])
def test_an_option_is_read_back_as_it_was(value):
    from amlnn.config.options import parse_options
    (found,) = parse_options([option('key', value)]).values()
    assert found == (list(value) if isinstance(value, tuple) else value)
    assert type(found) in (type(value), list) or isinstance(found, dict)
