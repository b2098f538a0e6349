"""Forecasters at several rolling origins: what is compared, chosen and written down."""

import json
from pathlib import Path

import numpy as np
import pytest
from generated import ROOT, write_series
from scipy.optimize import nnls

from amlnn.records import read_run, read_test


@pytest.fixture
def configs(tmp_path):
    """A series, and the configs of two simple methods for it."""
    file = write_series(tmp_path / 'series.csv', rows=400)
    made = []
    for name, base in (('naive', 'own_seasonal_naive'), ('mean', 'own_window_mean')):
        path = tmp_path / f'{name}.py'
        path.write_text(f'''\
_base_ = {str(ROOT / f'configs/series/{base}.py')!r}
train_dataloader = dict(dataset=dict(
    source=dict(_delete_=True, type='CSVSeries', path='nowhere.csv'), look_back=24, horizon=6,
    calendar=(), known=(), short='error'))
''')
        made.append(path)
    return file, made


def table(out: str) -> dict[str, list[str]]:
    """Cells of each row by its name."""
    lines = [line.replace(' *', '') for line in out.splitlines()]
    head = next(place for place, line in enumerate(lines) if 'origin 1' in line)
    found = {}
    for line in lines[head + 1:]:
        name = line[:len(lines[head].partition('origin')[0])].strip()
        if not name or ':' in name:
            break
        found[name] = line[len(name):].split()
    return found


def stored(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    arrays = np.load(folder / 'predictions_test.npz')
    return arrays['target'].astype(float).ravel(), arrays['forecast'].astype(float).ravel()


def by_config(work_dir: Path) -> dict[str, list[Path]]:
    """Run folders of each config, in the order of their origins."""
    found = {}
    for path in work_dir.iterdir():
        if (path / 'run.json').is_file() and not path.is_symlink():
            found.setdefault(read_run(path).config_name, []).append(path)
    return {name: sorted(runs, key=lambda run: int(
        (run / 'config.py').read_text().partition('origin=[')[2][0]))
        for name, runs in found.items()}


def test_errors_and_blends_are_those_of_the_stored_forecasts(configs, run_tool):
    file, (naive, mean) = configs
    words = ['backtest', naive, mean, '--data', file, '--origins', 3, '--work-dir', 'runs']
    status, out, errors = run_tool(*words)
    assert status == 0, errors
    rows, runs = table(out), by_config(Path('runs'))
    members = [[stored(run) for run in runs[name]] for name in ('naive', 'mean')]
    for name, each in zip(('naive', 'mean'), members, strict=True):
        expected = [np.square(target - forecast).mean() for target, forecast in each]
        assert rows[name][:3] == [f'{error:.4f}' for error in expected]
        assert rows[name][3:5] == [f'{np.mean(expected):.4f}', f'{np.std(expected, ddof=1):.4f}']
    equal, blend = [], []
    for origin in range(3):
        target = members[0][origin][0]
        forecasts = np.stack([each[origin][1] for each in members], axis=1)
        equal.append(np.square(target - forecasts.mean(axis=1)).mean())
        # Weights of the other two origins alone, each of them counting as much; the sum of 1 as a
        # heavy row of the equations.
        left, right = [np.full((1, 2), 1e6)], [[1e6]]
        for other in {0, 1, 2} - {origin}:
            size = np.sqrt(len(members[0][other][0]))
            left.append(np.stack([each[other][1] for each in members], axis=1) / size)
            right.append(members[0][other][0] / size)
        weights = nnls(np.concatenate(left), np.concatenate(right))[0]
        blend.append(np.square(target - forecasts @ weights).mean())
    assert [float(each) for each in rows['equal parts'][:3]] == pytest.approx(equal, abs=1e-4)
    assert [float(each) for each in rows['blend'][:3]] == pytest.approx(blend, abs=1e-4)
    assert {'ridge', 'train mean', 'repeat last'} <= set(rows)

    before = {run: (run / 'run.json').stat().st_mtime_ns for each in runs.values() for run in each}
    assert table(run_tool(*words)[1]) == rows  # and nothing was trained again
    assert before == {run: (run / 'run.json').stat().st_mtime_ns for run in before}


def test_the_test_part_is_not_looked_at(configs, run_tool, tmp_path):
    file, (naive, mean) = configs
    words = ['--origins', 2, '--data']
    first = table(run_tool('backtest', naive, mean, *words, file, '--work-dir', 'a')[1])
    lines = file.read_text().splitlines()
    changed = [line.rpartition(',')[0] + ',999' if place > 0.8 * len(lines) + 1 else line
               for place, line in enumerate(lines)]
    other = tmp_path / 'other.csv'
    other.write_text('\n'.join(changed))
    assert table(run_tool('backtest', naive, mean, *words, other, '--work-dir', 'b')[1]) == first


def test_the_best_is_written_as_a_config_that_trains(configs, run_tool):
    file, (naive, mean) = configs
    status, out, errors = run_tool('backtest', naive, mean, '--data', file, '--origins', 2,
                                   '--write', 'best.py', '--cfg-options',
                                   'train_dataloader.dataset.horizon=5')
    assert status == 0, errors
    rows = table(out)
    least = min(('naive', 'mean', 'equal parts', 'blend'), key=lambda name: float(rows[name][2]))
    assert f'wrote best.py, {least}: ' in out
    status, out, errors = run_tool('train', 'best.py')
    assert status == 0, errors
    status, out, errors = run_tool('test', 'best.py', 'work_dirs/best/latest/best.pth')
    assert status == 0, errors
    record = read_test(Path('work_dirs/best/latest/test_test.json'))
    assert np.load('work_dirs/best/latest/predictions_test.npz')['target'].shape[1] == 5
    assert record.data_root == str(file)


def test_without_refit_the_model_of_the_first_origin_is_tested_at_all(configs, run_tool):
    file, (naive, mean) = configs
    words = ['backtest', naive, mean, '--data', file, '--origins', 2, '--work-dir', 'runs']
    fixed = table(run_tool(*words, '--no-refit')[1])
    runs = by_config(Path('runs'))
    assert {name: len(each) for name, each in runs.items()} == {'naive': 1, 'mean': 1}
    refitted = table(run_tool(*words)[1])
    for name in ('naive', 'mean'):
        assert fixed[name][0] == refitted[name][0] and fixed[name][1] != refitted[name][1]
    # The second stretch, in the units of the scaler of the first origin.
    (later,) = Path('runs/.backtest').glob('naive*')
    target, forecast = stored(later)
    assert fixed['naive'][1] == f'{np.square(target - forecast).mean():.4f}'
    scales = [json.loads(json.dumps(np.load(folder / 'predictions_test.npz')['mean'].tolist()))
              for folder in (later, runs['naive'][0])]
    assert scales[0] == scales[1]


@pytest.mark.parametrize(('words', 'said'), [
    (['--origins', 1], '--origins is 1'), (['--seeds', 0], '--seeds is 0'),
    (['--jobs', 0], '--jobs is 0'), (['--cfg-options', 'model.nonsense=1'], 'nonsense'),
    (['--cfg-options', 'train_dataloader.dataset.horizon=300'], 'horizon'),
])
def test_what_cannot_be_compared_is_two_lines(configs, run_tool, words, said):
    file, made = configs
    status, _, errors = run_tool('backtest', *made, '--data', file, *words)
    lines = errors.splitlines()
    assert status == 2 and len(lines) == 2 and said in errors
    status, _, errors = run_tool('backtest', made[0], made[0], '--data', file)
    assert status == 2 and 'named twice' in errors
