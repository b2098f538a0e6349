"""Trained forecasters put together: weights chosen on validation, one model from then on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import ROOT, write_series, write_series_config
from scipy.optimize import nnls

from amlnn.engine.train import TrainOptions, train


@pytest.fixture(scope='module')
def members(tmp_path_factory):
    """A series, and the runs of a network and of two simple methods, one of which looks further
    back."""
    folder = tmp_path_factory.mktemp('members')
    file = write_series(folder / 'series.csv', columns=2)
    runs = {'gru': train(TrainOptions(
        write_series_config(folder / 'gru.py', file), work_dir=folder / 'gru'))}
    for look_back, kind in ((24, 'own_seasonal_naive'), (48, 'own_window_mean')):
        config = fitted_config(folder / f'{look_back}.py', kind, file, look_back)
        runs[look_back] = train(TrainOptions(config, work_dir=folder / f'{look_back}'))
    return file, runs


def fitted_config(path: Path, kind: str, file: Path, look_back: object, more: str = '') -> Path:
    path.write_text(f'''\
_base_ = {str(ROOT / f'configs/series/{kind}.py')!r}
train_dataloader = dict(dataset=dict(
    source=dict(_delete_=True, type='CSVSeries', path={str(file)!r}), look_back={look_back!r},
    horizon=6, calendar=(), known=(), short='error'))
{more}
''')
    return path


def blend_config(path: Path, file: Path, runs, look_back: object = 'auto', more: str = '') -> Path:
    return fitted_config(path, 'own_blend', file, look_back,
                         f'model = dict(members={[str(run) for run in runs]!r})\n{more}')


def stored(run: Path, split: str) -> dict:
    return dict(np.load(run / f'predictions_{split}.npz'))


def test_a_blend_weighs_its_members_by_their_errors_on_validation(members, tmp_path, run_tool):
    file, runs = members
    config = blend_config(tmp_path / 'blend.py', file, runs.values())
    run = train(TrainOptions(config, work_dir=tmp_path / 'runs'))
    checkpoint = torch.load(run / 'best.pth', weights_only=True)
    weights = checkpoint['state_dict']['weights'].numpy()
    assert checkpoint['meta']['dataset_meta']['look_back'] == 48

    each = [stored(runs[name], 'val') for name in runs]
    target = each[0]['target'].astype(float).ravel()
    forecasts = np.stack([one['forecast'].astype(float).ravel() for one in each], axis=1)
    # The sum of 1 as a heavy row of the equations.
    expected = nnls(np.vstack([forecasts, np.full(len(runs), 1e6)]), np.append(target, 1e6))[0]
    assert np.allclose(weights, expected, atol=1e-4)
    assert weights.sum() == pytest.approx(1) and (weights > 0.01).sum() >= 2

    status, _, errors = run_tool('test', config, run / 'best.pth')
    assert status == 0, errors
    blended = stored(run, 'test')['forecast']
    parts = []
    for name, member in runs.items():
        own = member.parent.parent / f'{name}.py'
        assert run_tool('test', own, member / 'best.pth')[0] == 0
        parts.append(stored(member, 'test')['forecast'])
    # Windows of the longer look-back are the last ones of the shorter: all have the same targets.
    together = np.einsum('m,mnpc->npc', weights, np.stack(parts))
    assert np.allclose(blended, together, atol=1e-5)
    record = json.loads((run / 'test_test.json').read_text())
    assert 'ridge' in record['baselines'] and 'interval/coverage_80' in record['metrics']


def test_a_blend_needs_its_members_no_longer(members, tmp_path, run_tool, capsys):
    file, runs = members
    kept = [shutil.copytree(runs[name], tmp_path / f'member_{name}') for name in ('gru', 24)]
    config = blend_config(tmp_path / 'blend.py', file, kept)
    run = train(TrainOptions(config, work_dir=tmp_path / 'runs'))
    capsys.readouterr()
    before = run_tool('predict', config, run / 'best.pth', file)
    for folder in kept:
        shutil.rmtree(folder)
    after = run_tool('predict', config, run / 'best.pth', file)
    assert before[0] == after[0] == 0, after[2]
    assert before[1] == after[1] and len(after[1].splitlines()) == 7


def refused(run_tool, tmp_path, config, said):
    status, _, errors = run_tool('train', config, '--work-dir', tmp_path / 'runs')
    lines = [line for line in errors.splitlines() if line.startswith(('error', 'hint'))]
    assert status == 2 and len(lines) == 2 and said in lines[0], errors
    assert not (tmp_path / 'runs').exists() or not list((tmp_path / 'runs').glob('2*'))


def test_members_that_do_not_go_together_are_refused(members, tmp_path, run_tool):
    file, runs = members
    other = write_series(tmp_path / 'other.csv', seed=5, columns=2)
    stranger = train(TrainOptions(fitted_config(
        tmp_path / 'stranger.py', 'own_ridge', other, 24), work_dir=tmp_path / 'stranger'))
    longer = train(TrainOptions(fitted_config(
        tmp_path / 'longer.py', 'own_ridge', file, 24, "train_dataloader['dataset']['horizon'] = 7"
    ), work_dir=tmp_path / 'longer'))
    blend = train(TrainOptions(blend_config(
        tmp_path / 'first.py', file, [runs[24], runs[48]]), work_dir=tmp_path / 'blend'))
    for name, wrong, said in (('a', stranger, 'was trained with another training part'),
                              ('b', longer, 'forecasts 7 rows'), ('c', blend, 'is a blend itself'),
                              ('d', tmp_path / 'nowhere', 'is not there')):
        refused(run_tool, tmp_path, blend_config(tmp_path / f'{name}.py', file, [runs[24], wrong]),
                said)
    refused(run_tool, tmp_path, blend_config(tmp_path / 'e.py', file, [runs[24]]),
            'two members or more')
    refused(run_tool, tmp_path, blend_config(tmp_path / 'f.py', file, [runs[24], runs[48]], 24),
            'looks back on 48 rows, and the blend on 24')
