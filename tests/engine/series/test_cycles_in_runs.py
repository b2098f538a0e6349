"""A learnt cycle through the commands: found, kept in the checkpoint, at its place in any file."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import ROOT, write_series, write_series_config

from amlnn.engine.train import TrainOptions, train

FAST = 'optim_wrapper = dict(optimizer=dict(lr=0.03))'


@pytest.fixture(scope='module')
def cyclic(tmp_path_factory):
    """A file, a config that learns its cycle, and its run."""
    folder = tmp_path_factory.mktemp('cyclic')
    file = write_series(folder / 'series.csv', columns=2)
    config = write_series_config(folder / 'cyclic.py', file, f"model = dict(cycle='auto')\n{FAST}")
    return file, config, train(TrainOptions(config, work_dir=folder / 'runs'))


def content(run: Path) -> dict:
    return torch.load(run / 'best.pth', weights_only=True)


def forecast(run_tool, config, run, file) -> list[dict]:
    out = file.with_suffix('.forecast')
    status, _, errors = run_tool('predict', config, run / 'best.pth', file, '--out', out)
    assert status == 0, errors
    return list(csv.DictReader(out.read_text().splitlines()))


def without_first(file: Path, path: Path, count: int) -> Path:
    lines = file.read_text().splitlines(keepends=True)
    path.write_text(''.join([lines[0], *lines[1 + count:]]))
    return path


def test_the_cycle_is_found_said_learnt_and_kept_in_the_checkpoint(cyclic):
    _, _, run = cyclic
    assert content(run)['meta']['dataset_meta']['cycle'] == 24
    values = content(run)['state_dict']['cycle.values']
    assert values.shape == (24, 2) and values.abs().min() > 0


@pytest.mark.parametrize('cut', [1, 11, 24, 350])
def test_a_file_whose_first_rows_are_cut_off_has_the_same_forecast(cyclic, run_tool, tmp_path, cut):
    file, config, run = cyclic
    whole = forecast(run_tool, config, run, file)
    later = forecast(run_tool, config, run, without_first(file, tmp_path / 'later.csv', cut))
    # A file of few rows holds few earlier errors, of which intervals are made.
    names = ('time', 'step', 'c0', 'c1') if cut > 300 else tuple(whole[0])
    assert [[row[name] for name in names] for row in whole] == \
        [[row[name] for name in names] for row in later]
    assert len({row['c0'] for row in whole}) > 3
    # An hour later in the day the same rows have another forecast.
    text = file.read_text().replace('2020-01-01 00:00:00', 'x')
    hours = [line.partition(',') for line in text.splitlines()[1:]]
    moved = tmp_path / 'moved.csv'
    times = [each[0] for each in hours[1:]] + [f'2020-01-17 {16:02}:00:00']
    moved.write_text('date,c0,c1\n' + ''.join(
        f'{time},{each[2]}\n' for time, each in zip(times, hours, strict=True)))
    assert [row['c0'] for row in forecast(run_tool, config, run, moved)] != \
        [row['c0'] for row in whole]


def test_a_test_takes_the_cycle_from_the_checkpoint(cyclic, run_tool):
    _, config, run = cyclic
    status, _, errors = run_tool('test', config, run / 'best.pth', '--split', 'val')
    assert status == 0, errors
    tested = json.loads((run / 'test_val.json').read_text())['metrics']['forecast/mse']
    record = json.loads((run / 'run.json').read_text())
    assert tested == pytest.approx(min(each['metrics']['forecast/mse']
                                       for each in record['epochs']), rel=1e-5)
    status, _, errors = run_tool('test', config, run / 'best.pth', '--cfg-options',
                                 'model.cycle=12')
    assert status == 2 and '`model.cycle` is 12, and the checkpoint has 24' in errors


def test_a_series_of_many_that_begins_elsewhere_is_at_its_own_place(run_tool, tmp_path):
    first = write_series(tmp_path / 'one.csv', columns=1).read_text().splitlines()
    lines = ['date,series,y', *(f'{line.partition(",")[0]},a,{line.partition(",")[2]}'
                            for line in first[1:]),
             *(f'{line.partition(",")[0]},b,{line.partition(",")[2]}' for line in first[12:])]
    file = tmp_path / 'panel.csv'
    file.write_text('\n'.join(lines) + '\n')
    config = write_series_config(tmp_path / 'many.py', file, f'''
        model = dict(cycle=24)
        train_dataloader = dict(dataset=dict(source=dict(id_column='series'), scale=False))
        {FAST}
        ''')
    run = train(TrainOptions(config, work_dir=tmp_path / 'runs'))
    rows = forecast(run_tool, config, run, file)
    ends = {name: [row['y'] for row in rows if row['series'] == name] for name in 'ab'}
    assert ends['a'] == ends['b'] and len(ends['a']) == 6


def test_a_file_without_times_is_counted_from_its_first_row(run_tool, tmp_path):
    values = np.tile(np.sin(np.arange(24) * np.pi / 12), 20)
    file = tmp_path / 'plain.csv'
    file.write_text('y\n' + ''.join(f'{value:.6f}\n' for value in values))
    config = write_series_config(tmp_path / 'plain.py', file, f'''
        model = dict(cycle=24)
        train_dataloader = dict(dataset=dict(source=dict(date_column=None)))
        {FAST}
        ''')
    run = train(TrainOptions(config, work_dir=tmp_path / 'runs'))
    whole = forecast(run_tool, config, run, file)
    day_later, hour_later = (forecast(run_tool, config, run, without_first(
        file, tmp_path / f'{cut}.csv', cut)) for cut in (24, 1))
    assert whole == day_later and whole != hour_later


def test_a_blend_hands_its_member_where_the_windows_lie(cyclic, run_tool, tmp_path):
    file, _, run = cyclic
    other = train(TrainOptions(write_series_config(tmp_path / 'plain.py', file),
                               work_dir=tmp_path / 'plain'))
    config = tmp_path / 'blend.py'
    config.write_text(f'''\
_base_ = {str(ROOT / 'configs/series/own_blend.py')!r}
train_dataloader = dict(dataset=dict(
    source=dict(_delete_=True, type='CSVSeries', path={str(file)!r}), look_back=24, horizon=6,
    calendar=(), known=(), short='error'))
model = dict(members={[str(run), str(other)]!r}, weights=(1.0, 0.0))
''')
    blend = train(TrainOptions(config, work_dir=tmp_path / 'runs'))
    mean = {row['step']: row['c0'] for row in forecast(run_tool, config, blend, file)}
    alone = {row['step']: row['c0'] for row in forecast(run_tool, cyclic[1], run, file)}
    assert mean == alone
