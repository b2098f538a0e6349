"""Plain names at the top level of a config: those that the file uses are its variables."""

import pytest

BASE = "_base_ = ['model.py', 'schedule.py']\n"


@pytest.mark.parametrize('text', [
    "rate = 0.3\noptim_wrapper = dict(optimizer=dict(lr=rate))",
    "rate = 0.3\nhalf = rate / 2\noptim_wrapper = dict(optimizer=dict(lr=half))",
    "root = '/a'\nwork_dir = f'{root}/b'",
    "epochs = [1, 2]\ntrain_cfg = dict(max_epochs=max(n for n in epochs))",
    "def double(n):\n    return n * factor\nfactor = 2\ntrain_cfg = dict(max_epochs=double(3))",
    "long = True\nif long:\n    train_cfg = dict(max_epochs=9)",
    "times = 2\nepochs = 1\nfor _ in range(times):\n    epochs += 1\n"
    "train_cfg = dict(max_epochs=epochs)",
    "more = dict(max_epochs=5)\ntrain_cfg = dict()\ntrain_cfg.update(more)",
    "more = dict(depth=50)\nmodel = dict(backbone=dict(depth=18))\nmodel['backbone'].update(more)",
    "deep = 50\n_base_.model.backbone.depth = deep",
    "rate: float = 0.3\noptim_wrapper = dict(optimizer=dict(lr=rate))",
    "first, second = 3, 4\ntrain_cfg = dict(max_epochs=first + second)",
    "shorter = lambda n: n - 1\ntrain_cfg = dict(max_epochs=shorter(3))",
])
def test_a_name_that_the_file_uses_is_a_variable(configs, text):
    loaded = configs.load(BASE + text + '\n')
    assert set(loaded.config) <= {'model', 'optim_wrapper', 'train_cfg', 'work_dir'}
    assert loaded.notes == []


@pytest.mark.parametrize(('text', 'name'), [
    ("spare = 3", 'spare'),
    ("spare = 3\nother = spare", 'other'),
    ("spare = []\nspare.append(3)", 'spare'),
    ("spare = 1\nspare = spare + 1", 'spare'),
    ("def half(n):\n    return spare / n\nspare = 3", 'spare'),
])
def test_a_name_that_no_key_comes_from_is_an_error(configs, text, name):
    error = configs.error(BASE + text + '\n')
    assert f'`{name}` is not a key of a config' in error.message and error.hint


@pytest.mark.parametrize(('text', 'right'), [
    ('train_cgf = dict(max_epochs=3)', 'train_cfg'),
    ('rate = 3\noptim_wraper = dict(optimizer=dict(lr=rate))', 'optim_wrapper'),
    ('custom_hook = []', 'custom_hooks')])
def test_an_unused_name_near_a_key_is_taken_for_that_key(configs, text, right):
    assert configs.error(BASE + text + '\n').hint.startswith(f'did you mean `{right}`?')


def test_a_child_uses_a_variable_of_its_base(configs):
    configs.write('rates.py', "rate = 0.3\noptim_wrapper = dict(optimizer=dict(type='SGD', "
                              "lr=rate))\n")
    loaded = configs.load("_base_ = 'rates.py'\noptim_wrapper = dict(optimizer=dict(lr="
                          "{{_base_.rate}} / 3))\n")
    assert loaded.config['optim_wrapper']['optimizer']['lr'] == pytest.approx(0.1)
    error = configs.error("_base_ = 'rates.py'\nrate = 0.5\n")
    assert '`rate` is changed here and not used' in error.message
