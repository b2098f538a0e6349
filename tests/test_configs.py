"""Every config is loaded, and every experiment trains two iterations and is tested."""

import ast
from pathlib import Path

import pytest
from generated import ROOT, write_data_set

from amlnn.config.load import config_hash, load_config, resolved_text
from amlnn.records import read_run, read_test

CONFIGS = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs').rglob('*.py'))
EXPERIMENTS = [path for path in CONFIGS if '_base_' not in path.parts]
BASES = [path for path in CONFIGS if '_base_' in path.parts]

# What each kind of base owns, and nothing else (DESIGN: a base owns only its own keys).
OWNED = {
    'models': {'model', 'data_preprocessor'},
    'datasets': {f'{part}_{kind}' for part in ('train', 'val', 'test')
                 for kind in ('dataloader', 'evaluator')},
    'schedules': {'optim_wrapper', 'param_scheduler', 'train_cfg', 'val_cfg', 'test_cfg'},
    'runtime.py': {'default_scope', 'default_hooks', 'custom_hooks', 'env_cfg', 'log_level',
                   'randomness', 'execution'},
}


def test_the_walk_finds_every_config():
    # A new config changes one of these numbers, so that none is tested by accident or not at all.
    assert len(EXPERIMENTS) == 25
    assert len(BASES) == 19


@pytest.mark.parametrize('path', BASES, ids=str)
def test_a_base_owns_only_its_own_keys(path):
    kind = path.parts[2]
    names = {target.id for node in ast.parse((ROOT / path).read_text()).body
             if isinstance(node, ast.Assign) for target in node.targets}
    assert {name for name in names if not name.startswith('_')} <= OWNED[kind]


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_a_config_says_what_it_is(path):
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text()))
    assert docstring
    if path in EXPERIMENTS:
        assert f'python tools/train.py {path}' in docstring


@pytest.mark.parametrize('path', EXPERIMENTS, ids=str)
def test_an_experiment_loads_and_its_resolved_text_says_the_same(path, tmp_path):
    loaded = load_config(ROOT / path)
    copy = tmp_path / 'resolved.py'
    copy.write_text(resolved_text(loaded.config))
    again = load_config(copy)
    assert again.config == loaded.config
    assert config_hash(again.config) == config_hash(loaded.config)


@pytest.fixture(scope='module')
def two_batches(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp('two') / 'data',
                          sizes={'train': 1, 'val': 1, 'test': 1}, side=32)


# One of each network and recipe; the others differ by a number, and come in the slow tier.
QUICK = {'digits_source', 'digits_frozenall', 'resnet50_frozen3'}


@pytest.mark.parametrize('path', [
    pytest.param(path, id=str(path), marks=() if path.stem in QUICK else pytest.mark.slow)
    for path in EXPERIMENTS])
def test_an_experiment_trains_two_iterations_and_is_tested(path, run_tool, two_batches):
    options = [f'{part}_dataloader.dataset.data_root={two_batches}'
               for part in ('train', 'val', 'test')]
    options += ['train_dataloader.batch_size=3', 'train_cfg.max_epochs=1']
    options += [f'{part}_dataloader.{key}' for part in ('train', 'val', 'test')
                for key in ('num_workers=0', 'persistent_workers=False')]
    status, _, errors = run_tool('train', ROOT / path, '--pretrained', 'none', '--cfg-options',
                                 *options)
    assert status == 0, errors
    run = Path('work_dirs') / path.stem / 'latest'
    record = read_run(run)
    assert record.status == 'done' and record.epochs[0].iteration == 2
    status, _, errors = run_tool('test', ROOT / path, run / 'best.pth', '--cfg-options', *options)
    assert status == 0, errors
    assert read_test(run / 'test_test.json').samples == 5
