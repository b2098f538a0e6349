"""Every config is loaded, and every experiment trains two iterations and is tested."""

import ast
import os
import re
from pathlib import Path

import pytest
from generated import DATA_SETS, ROOT, write_series

from amlnn.config.kind import run_kind
from amlnn.config.load import load_config
from amlnn.config.options import option
from amlnn.config.resolved import config_hash, resolved_text
from amlnn.data.images.layout import choices_of, layout_of
from amlnn.records import read_run, read_test
from amlnn.sweep.space import grid, read_sweep

FILES = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs').rglob('*.py'))
SWEEPS = [path for path in FILES if path.parts[1] == 'sweeps']
CONFIGS = [path for path in FILES if path not in SWEEPS]
EXPERIMENTS = [path for path in CONFIGS if '_base_' not in path.parts]
FORECASTS = [path for path in EXPERIMENTS if path.parts[1] == 'series']
IMAGES = [path for path in EXPERIMENTS if path not in FORECASTS]
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
OWNED['runtime_series.py'] = OWNED['runtime_early_stopping.py'] = OWNED['runtime.py']


def test_the_walk_finds_every_config():
    # Compared with another walk, and with how many there were when this was written: an empty or
    # half-finished walk fails, and a new config needs no change here.
    files = {Path(folder, name).relative_to(ROOT) for folder, _, names in os.walk(ROOT / 'configs')
             for name in names if name.endswith('.py')}
    assert set(EXPERIMENTS) | set(BASES) | set(SWEEPS) == files
    assert len(EXPERIMENTS) + len(BASES) + len(SWEEPS) == len(files)
    assert len(SWEEPS) >= 10
    assert len(EXPERIMENTS) >= 77 and len(FORECASTS) >= 35 and len(BASES) >= 51


@pytest.mark.parametrize('path', SWEEPS, ids=str)
def test_every_point_of_a_sweep_is_a_config_without_mistakes(path):
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text()))
    assert f'python tools/sweep.py {path}' in docstring
    sweep = read_sweep(ROOT / path)
    points = list(grid(sweep.dimensions))
    assert points
    for point in points:
        config = point.pop('config', sweep.configs[0])
        options = [option(key, value) for key, value in {**sweep.options, **point}.items()]
        assert load_config(ROOT / path.parent / config, options).config['train_cfg']['max_epochs']


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
        train, test = f'python tools/train.py {path}', f'python tools/test.py {path} pretrained'
        assert train in docstring or test in docstring


# What a machine measured: times, and errors with their figure. Facts of a recipe have no such unit.
MEASURED = re.compile(
    r'±|\d ?%|\b(seconds|minutes?)\b|\d ?(s|min|h)\b|\b(MSE|MAE|accuracy)\b[^,;.]*\d\.\d')


@pytest.mark.parametrize('said', [
    'MSE 0.937 on validation', '0.4102 ± 0.0062 on test', 'about 6 min on 2 CPU cores',
    'in half a minute or ten seconds', 'an accuracy of 0.93', '93 % of the flowers'])
def test_what_counts_as_measured_is_found(said):
    assert MEASURED.search(said)


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_a_config_states_no_figure_that_only_a_run_could_tell(path):
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text()))
    assert not MEASURED.search(docstring)


@pytest.mark.parametrize('path', EXPERIMENTS, ids=str)
def test_an_experiment_loads_and_its_resolved_text_says_the_same(path, tmp_path):
    loaded = load_config(ROOT / path)
    copy = tmp_path / 'resolved.py'
    copy.write_text(resolved_text(loaded.config))
    again = load_config(copy)
    assert again.config == loaded.config
    assert config_hash(again.config) == config_hash(loaded.config)


@pytest.fixture(scope='module')
def generated_data(tmp_path_factory):
    """Makes the data set of a type, once."""
    made = {}

    def of(kind: str) -> Path:
        if kind not in made:
            made[kind] = DATA_SETS[kind](tmp_path_factory.mktemp(kind) / 'data')
        return made[kind]

    return of


def smallest_run(config, root: Path) -> list[str]:
    """Overrides that make two training iterations of a config, on five images of any part."""
    options = ['train_cfg.max_epochs=1', 'train_dataloader.batch_size=3']
    for part in ('train', 'val', 'test'):
        dataset = f'{part}_dataloader.dataset'
        options += [f'{dataset}.data_root={root}', f'{part}_dataloader.num_workers=0',
                    f'{part}_dataloader.persistent_workers=False', f'{dataset}.subset=5']
        if config[f'{part}_dataloader']['dataset'].get('holdout'):
            options.append(f'{dataset}.holdout=1')
    return options


# One of each network and recipe; the others differ by a number, and come in the slow tier.
QUICK = {'digits_source', 'digits_frozenall', 'resnet50_frozen3'}


@pytest.mark.parametrize('path', [
    pytest.param(path, id=str(path), marks=() if path.stem in QUICK else pytest.mark.slow)
    for path in IMAGES])
def test_an_experiment_trains_two_iterations_and_is_tested(path, run_tool, generated_data):
    config = load_config(ROOT / path).config
    root = generated_data(config['train_dataloader']['dataset']['type'])
    options = smallest_run(config, root)
    status, _, errors = run_tool('train', ROOT / path, '--pretrained', 'none', '--cfg-options',
                                 *options)
    assert status == 0, errors
    run = Path('work_dirs') / path.stem / 'latest'
    record = read_run(run)
    assert record.status == 'done' and record.epochs[0].iteration == 2
    status, _, errors = run_tool('test', ROOT / path, run / 'best.pth', '--cfg-options', *options)
    assert status == 0, errors
    tested = {part: read_test(run / f'test_{part}.json').samples for part in ('test', 'val')
              if (run / f'test_{part}.json').is_file()}
    labelled = layout_of(config['test_dataloader']['dataset']).find_parts(
        str(root), **choices_of(config['test_dataloader']['dataset']))
    assert tested == {'test' if 'test' in labelled else 'val': 5}


@pytest.mark.parametrize('path', EXPERIMENTS, ids=str)
def test_the_folder_says_what_kind_an_experiment_is(path):
    expected = 'forecasting' if path in FORECASTS else 'classification'
    assert run_kind(load_config(ROOT / path).config) == expected


@pytest.fixture(scope='module')
def long_series(tmp_path_factory):
    return write_series(tmp_path_factory.mktemp('series') / 'long.csv', rows=3300, columns=7)


def quick_member(path, named, windows):
    """A member of a blend, trained for two iterations too."""
    named = {'config': named} if isinstance(named, str) else dict(named)
    quick = {'train_cfg.max_epochs': 1, 'train_dataloader.batch_size': 2,
             'train_dataloader.dataset.stride': -(-windows // 4)}
    return dict(config=str(ROOT / path.with_name(named['config'])),
                options={**quick, **named.get('options', {})})


@pytest.mark.parametrize('path', FORECASTS, ids=str)
def test_a_forecast_trains_two_iterations_and_is_tested(path, run_tool, long_series):
    data = load_config(ROOT / path).config['train_dataloader']['dataset']
    options = []
    rows = data['source'].get('length') or {
        'study_b': 365, 'study_c': 1000, 'hourly': 2000, 'all_parts': 2000}.get(
        data['source'].get('preset'), 3300)
    train_end = int(rows * 0.7)
    if 'path' in data['source']:
        train_end = 1500
        options += [f'train_dataloader.dataset.source.path={long_series}',
                    'train_dataloader.dataset.borders=(1500,2400,3300)']
    usual = dict(look_back=336, horizon=24)  # in the place of 'auto', which goes by the length
    sizes = {name: size if data[name] == 'auto' else data[name] for name, size in usual.items()}
    options += [f'train_dataloader.dataset.{name}={size}' for name, size in sizes.items()]
    windows = train_end - sum(sizes.values()) + 1
    options += [f'train_dataloader.dataset.stride={-(-windows // 4)}',
                'train_dataloader.batch_size=2', 'train_cfg.max_epochs=1']
    options += [f'{part}_dataloader.dataset.stride=50' for part in ('val', 'test')]
    members = load_config(ROOT / path).config['model'].get('members')
    if members:
        options.append(option('model.members', [quick_member(path, each, windows)
                                                for each in members]))
    status, _, errors = run_tool('train', ROOT / path, '--cfg-options', *options)
    assert status == 0, errors
    run = Path('work_dirs') / path.stem / 'latest'
    record = read_run(run)
    assert record.kind == 'forecasting' and record.status == 'done'
    assert record.samples['train'] == 4 and record.epochs[0].iteration == 2
    status, output, errors = run_tool('test', ROOT / path, run / 'best.pth', '--cfg-options',
                                      *options)
    assert status == 0, errors
    tested = read_test(run / 'test_test.json')
    assert tested.samples > 0 and f'{tested.samples:,} windows' in output
    assert {'train mean', 'repeat last', 'window mean'} <= set(tested.baselines)
