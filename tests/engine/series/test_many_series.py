"""Many series through the commands: trained, tested, resumed, and forecast from their own ends."""

import csv
import json
from datetime import date, timedelta

import numpy as np
import pytest
import torch
from generated import write_series_config

from amlnn.engine.train import TrainOptions, train

DAY = date(2024, 1, 1)


def write_sales(path, lengths, holiday=0.0, future=0, first=0):
    """Shops `s0`, `s1`, ...: a week's pattern at a level of their own, 40 more on holidays."""
    lines = ['date,shop,sales,holiday,size']
    for place, length in enumerate(lengths):
        rng = np.random.default_rng(place + first)
        free = rng.random(length + future) < holiday
        for row in range(length + future):
            value = 100 * (place + 1) + 10 * np.sin(row % 7) + 40 * free[row] + rng.normal()
            lines.append(f'{DAY + timedelta(days=row)},s{place + first},'
                         f'{f"{value:.3f}" if row < length else ""},{int(free[row])},{place}')
    path.write_text('\n'.join(lines) + '\n')
    return path


@pytest.fixture(scope='module')
def shops(tmp_path_factory):
    """Three shops of different lengths; a config, its run folder and the file."""
    folder = tmp_path_factory.mktemp('shops')
    file = write_sales(folder / 'sales.csv', [160, 120, 140], holiday=0.1, future=6)
    config = write_series_config(folder / 'shops.py', file, '''
        train_dataloader = dict(dataset=dict(
            source=dict(id_column='shop'), known=['holiday'], look_back=14, stride=1))
        ''', epochs=3)
    return config, train(TrainOptions(config, work_dir=folder / 'runs')), file


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_table_has_simple_methods_and_errors_by_series(shops, run_tool):
    config, run, _ = shops
    status, out, errors = run_tool('test', config, run / 'best.pth')
    assert status == 0, errors
    record = json.loads((run / 'test_test.json').read_text())
    stored = np.load(run / 'predictions_test.npz')
    assert stored['ids'].tolist() == ['s0', 's1', 's2']
    scale = stored['deviation'][stored['series']][:, None]
    error = (stored['forecast'].astype(float) - stored['target']) * scale
    target = stored['target'] * scale + stored['mean'][stored['series']][:, None]
    metrics = record['metrics']
    assert metrics['forecast/mse_original'] == pytest.approx(np.mean(error ** 2), rel=1e-5)
    assert metrics['forecast/wape'] == pytest.approx(np.abs(error).sum() / np.abs(target).sum(),
                                                     rel=1e-5)
    by_series = [np.abs((stored['forecast'] - stored['target'])[stored['series'] == place]).mean()
                 for place in range(3)]
    assert metrics['forecast/series_mae'] == pytest.approx(np.mean(by_series), rel=1e-5)
    own = record['series_errors']['this model'] if 'this model' in record['series_errors'] else \
        next(iter(record['series_errors'].values()))
    for place in range(3):
        of = stored['series'] == place
        assert own[place]['windows'] == of.sum()
        assert own[place]['mae'] == pytest.approx(np.abs(error[of]).mean(), rel=1e-5)
    assert {'ridge', 'seasonal naive', 'repeat last'} <= record['baselines'].keys()
    assert 'WAPE' in out


def test_repeat_last_errs_as_hand_arithmetic_says_in_every_series(shops, run_tool):
    config, run, file = shops
    assert run_tool('test', config, run / 'best.pth')[0] == 0
    record = json.loads((run / 'test_test.json').read_text())
    for place, length in enumerate([160, 120, 140]):
        values = [float(row['sales']) for row in rows_of(file)
                  if row['shop'] == f's{place}' and row['sales']]
        test = max(int(length * 0.2), 6)
        firsts = range(length - test, length - 6 + 1)
        error = np.mean([abs(values[first + step] - values[first - 1])
                         for first in firsts for step in range(6)])
        assert record['series_errors']['repeat last'][place]['mae'] == pytest.approx(error,
                                                                                     rel=1e-4)


def test_every_series_is_forecast_from_its_own_end(shops, run_tool, tmp_path):
    config, run, file = shops
    out = tmp_path / 'forecast.csv'
    status, said, errors = run_tool('predict', config, run / 'best.pth', file, '--out', out)
    assert status == 0, errors
    rows = rows_of(out)
    assert [row['shop'] for row in rows] == ['s0'] * 6 + ['s1'] * 6 + ['s2'] * 6
    for place, length in enumerate([160, 120, 140]):
        times = [row['time'][:10] for row in rows[6 * place:6 * place + 6]]
        assert times == [str(DAY + timedelta(days=length + step)) for step in range(6)]
        level = np.mean([float(row['sales']) for row in rows[6 * place:6 * place + 6]])
        assert abs(level - 100 * (place + 1)) < 60
    low, point, high = (float(rows[0][f'sales{end}']) for end in ('_low_80', '', '_high_80'))
    assert low < point < high
    assert out.with_suffix('.png').stat().st_size > 10_000
    assert 'forecast.png' in said


def test_rows_to_come_may_stand_in_a_file_of_their_own(shops, run_tool, tmp_path):
    config, run, file = shops
    lines = file.read_text().splitlines()
    past = [line for line in lines if line.split(',')[2]]
    ahead = [lines[0], *(line for line in lines if not line.split(',')[2])]
    (tmp_path / 'past.csv').write_text('\n'.join(past) + '\n')
    (tmp_path / 'ahead.csv').write_text('\n'.join(ahead) + '\n')
    outs = []
    for place, words in enumerate(([file], [tmp_path / 'past.csv', '--future',
                                            tmp_path / 'ahead.csv'])):
        outs.append(tmp_path / f'{place}.csv')
        status, _, errors = run_tool('predict', config, run / 'best.pth', *words, '--out', outs[-1])
        assert status == 0, errors
    assert outs[0].read_text() == outs[1].read_text()


@pytest.mark.parametrize(('change', 'pieces'), [
    (lambda lines: lines[:-1], ['`holiday` must be known for 6 rows', 'series `s2`', '5 are']),
    (lambda lines: [line for place, line in enumerate(lines) if place != len(lines) - 3],
     ['series `s2`', 'missing']),
    (lambda lines: [line.replace(',s1,', ',new,') for line in lines], None),
], ids=['too few', 'not in a row', 'a new shop'])
def test_rows_to_come_that_do_not_follow_are_refused(shops, run_tool, tmp_path, change, pieces):
    config, run, file = shops
    other = tmp_path / 'other.csv'
    other.write_text('\n'.join(change(file.read_text().splitlines())) + '\n')
    out = tmp_path / 'forecast.csv'
    status, _, errors = run_tool('predict', config, run / 'best.pth', other, '--out', out)
    if pieces is None:  # a model of all series forecasts one that it was not trained on
        assert status == 0, errors
        assert {row['shop'] for row in rows_of(out)} == {'s0', 'new', 's2'}
        return
    assert status == 2
    assert len(errors.strip().splitlines()) == 2
    assert [piece for piece in pieces if piece not in errors] == []


def test_a_cut_run_goes_on_to_the_same_bit(shops, tmp_path):
    config, run, _ = shops
    short = tmp_path / 'short.py'
    short.write_text(f'_base_ = {str(config)!r}\n')
    folder = train(TrainOptions(short, work_dir=tmp_path / 'cut', after_epoch=lambda epoch:
                                'stop' if epoch.epoch == 1 else None))
    folder = train(TrainOptions(short, work_dir=tmp_path / 'cut', resume=str(folder)))
    whole, again = (torch.load(each / 'checkpoints/epoch_0003.pth', weights_only=False)
                    for each in (run, folder))
    for name, value in whole['state_dict'].items():
        assert torch.equal(value, again['state_dict'][name]), name


def test_a_model_a_series_forecasts_its_own_and_no_other(shops, run_tool, tmp_path):
    config, _, file = shops
    local = tmp_path / 'local.py'
    local.write_text(f'_base_ = {str(config)!r}\nmodel = dict(per_series=True)\n'
                     'train_cfg = dict(max_epochs=1)\n')
    run = train(TrainOptions(local, work_dir=tmp_path / 'runs'))
    out = tmp_path / 'forecast.csv'
    assert run_tool('predict', local, run / 'best.pth', file, '--out', out)[0] == 0
    other = tmp_path / 'other.csv'
    other.write_text(file.read_text().replace(',s1,', ',new,'))
    for words in (('predict', local, run / 'best.pth', other),
                  ('test', local, run / 'best.pth', '--data', other)):
        status, _, errors = run_tool(*words)
        assert (status, len(errors.strip().splitlines())) == (2, 2)
        assert '`new`' in errors and 'per_series=False' in errors


def test_models_of_series_go_on_with_these_series_alone(shops, run_tool, tmp_path):
    config, _, file = shops
    mine = tmp_path / 'mine.csv'
    mine.write_text(file.read_text())
    local = tmp_path / 'local.py'
    local.write_text(f'_base_ = {str(config)!r}\nmodel = dict(per_series=True)\n'
                     f'data = {str(mine)!r}\n')
    folder = train(TrainOptions(local, work_dir=tmp_path / 'cut', after_epoch=lambda epoch:
                                'stop' if epoch.epoch == 1 else None))
    head, *lines = file.read_text().splitlines()
    new = [line.replace(',s0,', ',new,') for line in lines if ',s0,' in line]
    turned = sorted(lines, key=lambda line: line.split(',')[1], reverse=True)
    for changed, piece in (([*lines, *new], '`new`'), (turned, 'their order'),
                           ([line.replace(',s1,', ',t1,') for line in lines], '`s1`')):
        mine.write_text('\n'.join([head, *changed]) + '\n')
        for words in (('--resume', folder, '--data-changed'), ('--pretrained', folder)):
            status, _, errors = run_tool('train', local, '--work-dir', tmp_path / 'cut', *words)
            assert (status, len(errors.strip().splitlines())) == (2, 2), errors
            assert piece in errors
    mine.write_text(file.read_text())
    status, _, errors = run_tool('train', local, '--work-dir', tmp_path / 'cut', '--resume', folder)
    assert status == 0, errors


def test_one_file_and_many_are_not_taken_for_each_other(shops, run_tool, tmp_path):
    config, run, file = shops
    one = tmp_path / 'one.csv'
    one.write_text('\n'.join(line for line in file.read_text().splitlines()
                             if line.startswith('date') or ',s0,' in line) + '\n')
    status, _, errors = run_tool(
        'predict', config, run / 'best.pth', one,
        '--cfg-options', 'train_dataloader.dataset.source.id_column=None',
        "train_dataloader.dataset.source.columns=['sales','holiday','size']")
    assert (status, len(errors.strip().splitlines())) == (2, 2)
    assert '3 series' in errors


def test_a_spreadsheet_is_trained_tested_and_forecast_without_a_word_about_it(run_tool, tmp_path):
    file = write_sales(tmp_path / 'mine.csv', [200, 180], holiday=0.1)
    words = ['amlnn::series/own.py', '--data', file]
    status, out, errors = run_tool('train', *words, '--work-dir', tmp_path / 'runs',
                                   '--cfg-options', 'train_cfg.max_epochs=1')
    assert status == 0, errors
    said = out + errors
    for piece in ('`date` holds the times', '`shop` names 2 series', 'step: 1 day', 'rows back',
                  'static, the same in all rows of a series: size'):
        assert piece in said
    best = tmp_path / 'runs/latest/best.pth'
    status, out, errors = run_tool('test', *words[:1], best, *words[1:])
    assert status == 0, errors
    # What the command line says is in the run's own config: the next command is whole.
    line = next(line for line in said.splitlines() if ' tools/test.py ' in line)
    status, again, errors = run_tool('test', *line.split()[2:])
    assert status == 0, errors
    assert again.splitlines()[2:5] == out.splitlines()[2:5]
    status, out, errors = run_tool('predict', words[0], best, file, '--out', tmp_path / 'f.csv')
    assert status == 0, errors
    assert len(rows_of(tmp_path / 'f.csv')) == 2 * 9  # a twentieth of the shorter half


def test_files_that_show_less_are_read_as_the_training_file_was(run_tool, tmp_path):
    file = write_sales(tmp_path / 'mine.csv', [200, 180], holiday=0.1, future=5)
    options = ['--cfg-options', 'train_cfg.max_epochs=1', *(
        f'train_dataloader.dataset.{each}' for each in ("known=['holiday']", 'horizon=5'))]
    status, _, errors = run_tool('train', 'amlnn::series/own.py', '--data', file, '--work-dir',
                                 tmp_path / 'runs', *options)
    assert status == 0, errors

    def forecast(name, *words):
        status, _, errors = run_tool('predict', 'amlnn::series/own.py',
                                     tmp_path / 'runs/latest/best.pth', *words, '--out',
                                     tmp_path / name, *options)
        return rows_of(tmp_path / name) if status == 0 else [], errors

    def write(name, lines):
        (tmp_path / name).write_text('\n'.join(lines) + '\n')
        return tmp_path / name

    both = forecast('both.csv', file)[0]
    head, *lines = file.read_text().splitlines()
    # One shop alone: no time repeats, and nothing shows that size is static.
    one = write('one.csv', [head, *(line for line in lines if ',s1,' in line)])
    assert forecast('f1.csv', one)[0] == [row for row in both if row['shop'] == 's1']
    run = tmp_path / 'runs/latest'
    measured = []
    for data in (file, one):
        status, _, errors = run_tool('test', run / 'config.py', run / 'best.pth', '--data', data,
                                     '--out', tmp_path / 'test.json')
        assert status == 0, errors
        measured.append(json.loads((tmp_path / 'test.json').read_text()))
    assert measured[1]['series_errors']['ridge'][1]['windows'] == measured[1]['samples']
    for method in ('this model', 'repeat last'):
        assert measured[0]['series_errors'][method][1] == measured[1]['series_errors'][method][1]
    # Rows to come by time, not by shop.
    past = write('past.csv', [head, *(line for line in lines if line.split(',')[2])])
    ahead = sorted(','.join((when, shop, holiday)) for when, shop, sales, holiday, _ in (
        line.split(',') for line in lines) if not sales)
    future = write('ahead.csv', ['date,shop,holiday', *ahead])
    assert forecast('f2.csv', past, '--future', future)[0] == both
    untimed = write('untimed.csv', ['shop,holiday', *(row.split(',', 1)[1] for row in ahead)])
    assert 'has no times' in forecast('f3.csv', past, '--future', untimed)[1]
    # Shops that training had not, and ones too short, are told.
    new = write('new.csv', [head, *(line.replace(',s1,', ',new,') for line in lines)])
    found, errors = forecast('f4.csv', new)
    assert len(found) == 10
    assert '1 series that training had not' in errors and '`new`' in errors


def test_a_column_that_goes_on_behind_all_series_is_no_target_unless_chosen(run_tool, tmp_path):
    file = write_sales(tmp_path / 'mine.csv', [200, 180], holiday=0.1, future=12)
    words = ['amlnn::series/own.py', '--data', file, '--work-dir', tmp_path / 'runs', '--dry-run']
    status, out, errors = run_tool('train', *words)
    assert status == 0 and '1 column (sales) and' in out, errors  # a flag is known ahead
    nothing = ['--cfg-options', 'train_dataloader.dataset.known=[]']
    status, _, errors = run_tool('train', *words, *nothing)
    assert (status, len(errors.strip().splitlines())) == (2, 2)
    for piece in ('mine.csv:202', 'series `s0`', '`sales`', '`holiday`', 'known="[\'holiday\']"'):
        assert piece in errors
    for more in ("known=['holiday']", "targets=['sales','holiday']"):
        status, _, errors = run_tool('train', *words, '--cfg-options',
                                     f'train_dataloader.dataset.{more}')
        assert status == 0, errors
