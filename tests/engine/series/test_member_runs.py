"""Members of a blend that are named by their configs: trained before it, on its data."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import ROOT, write_series

from amlnn.config.load import load_config
from amlnn.engine.series.member_runs import member_configs
from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run


@pytest.fixture
def blend(tmp_path):
    """Writes a blend of configs beside their two configs."""
    file = write_series(tmp_path / 'series.csv', columns=2)
    for name, base, more in (('naive', 'own_seasonal_naive', 'look_back=24'),
                             ('mean', 'own_window_mean', 'look_back=48')):
        (tmp_path / f'{name}.py').write_text(
            f'_base_ = {str(ROOT / f"configs/series/{base}.py")!r}\n'
            f'train_dataloader = dict(dataset=dict({more}))\n')

    def write(members, more='', name='blend.py'):
        path = tmp_path / name
        path.write_text(f'''\
_base_ = {str(ROOT / 'configs/series/own_blend.py')!r}
model = dict(members={members!r})
train_dataloader = dict(dataset=dict(
    source=dict(_delete_=True, type='CSVSeries', path={str(file)!r}),
    horizon=6, calendar=(), known=(), short='error'))
{more}
''')
        return path
    return write


def runs_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if (path / 'run.json').is_file()
                  and not path.is_symlink())


def test_members_are_trained_once_and_on_the_data_of_the_blend(blend, tmp_path, run_tool):
    config = blend(['naive.py', dict(config='mean.py', options={
        'train_dataloader.dataset.look_back': 30})])
    status, out, errors = run_tool('train', config, '--work-dir', 'runs', '--seed', 3)
    assert status == 0, errors
    runs = runs_in(Path('runs/members'))
    sizes = {}
    for run in runs:
        record = read_run(run)
        assert record.seed == 3 and record.status == 'done'
        info = torch.load(run / 'best.pth', weights_only=True)['meta']['dataset_meta']
        sizes[record.config_name] = info['look_back'], info['horizon']
    assert sizes == {'naive': (24, 6), 'mean': (30, 6)}

    written = {run: (run / 'best.pth').stat().st_mtime_ns for run in runs}
    status, out, errors = run_tool('train', config, '--work-dir', 'runs', '--seed', 3)
    assert status == 0 and out.count('trained before') == 2
    assert {run: (run / 'best.pth').stat().st_mtime_ns for run in runs} == written

    status, _, errors = run_tool('test', config, 'runs/latest/best.pth')
    assert status == 0, errors
    blended = json.loads(Path('runs/latest/test_test.json').read_text())
    assert blended['metrics']['forecast/mse'] > 0


def test_a_member_that_was_stopped_goes_on(blend, run_tool):
    config = blend(['naive.py', 'mean.py'])
    assert run_tool('train', config, '--work-dir', 'runs')[0] == 0
    run = runs_in(Path('runs/members'))[0]
    record = json.loads((run / 'run.json').read_text())
    (run / 'run.json').write_text(json.dumps(record | {'status': 'interrupted'}))
    status, out, errors = run_tool('train', config, '--work-dir', 'runs')
    assert status == 0, errors
    assert out.count('trained before') == 1 and read_run(run).status == 'done'


@pytest.mark.parametrize(('weights', 'expected'), [('equal', [0.5, 0.5]), ([3, 1], [0.75, 0.25])])
def test_weights_can_be_given(blend, tmp_path, weights, expected):
    config = blend(['naive.py', 'mean.py'], f'model.update(weights={weights!r})')
    run = train(TrainOptions(config, work_dir=tmp_path / 'runs'))
    found = torch.load(run / 'best.pth', weights_only=True)['state_dict']['weights']
    assert np.allclose(found.numpy(), expected)


@pytest.mark.parametrize(('members', 'more', 'said'), [
    (['naive.py', 'nowhere.py'], '', 'nowhere.py'),
    (['naive.py', dict(config='mean.py', option={})], '', 'model.members.1'),
    (['naive.py', dict(config='mean.py', options={'model.nonsense': 1})], '', 'nonsense'),
    (['naive.py', 'mean.py'], 'model.update(weights=[1, 2, 3])', 'weights'),
    (['naive.py', 'mean.py'], 'model.update(weights=[1, -1])', 'weights'),
    (['naive.py', 'mean.py'], "model.update(weights='best')", 'weights'),
])
def test_what_is_no_member_or_weight_is_two_lines(blend, run_tool, members, more, said):
    status, _, errors = run_tool('train', blend(members, more), '--work-dir', 'runs')
    lines = errors.splitlines()
    assert status == 2 and lines[-2].startswith('error: ') and lines[-1].startswith('hint: ')
    assert said in lines[-2]


def test_a_dry_run_tries_the_members_and_keeps_nothing(blend, run_tool):
    status, _, errors = run_tool('train', blend(['naive.py', 'mean.py']), '--work-dir', 'runs',
                                 '--dry-run')
    assert status == 0, errors
    assert not Path('runs').exists()


def test_members_are_looked_for_beside_the_config_that_names_them(tmp_path, run_tool, monkeypatch):
    file = write_series(tmp_path / 'series.csv')
    monkeypatch.chdir(tmp_path)
    for named in ('amlnn::series/own_blend.py', ROOT / 'configs/series/own_blend.py'):
        child = tmp_path / 'child.py'
        child.write_text(f'_base_ = {str(named)!r}\nmodel = dict(members=["own_ridge.py", '
                         '"own_train_mean.py"])\n')
        base = tmp_path / 'base.py'
        base.write_text(f'_base_ = {str(named)!r}\n')
        status, _, errors = run_tool('check_config', base)
        assert status == 0, errors
        loaded = load_config(base)
        assert [member.name for _, member in member_configs(loaded)] == ['own', 'own_ridge']
        status, _, errors = run_tool('train', child, '--data', file)
        assert status == 2 and 'own_ridge.py' in errors  # they are not beside the child


def test_two_seeds_are_two_runs_and_another_recipe_is_another(blend, run_tool):
    config = blend(['naive.py', 'mean.py'])
    for seed in (0, 1):
        assert run_tool('train', config, '--work-dir', 'runs', '--seed', seed)[0] == 0
    assert len(runs_in(Path('runs/members'))) == 4
    assert run_tool('train', config, '--work-dir', 'runs', '--cfg-options',
                    'train_dataloader.dataset.horizon=5')[0] == 0
    assert len(runs_in(Path('runs/members'))) == 6
