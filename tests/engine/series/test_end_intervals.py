"""Intervals around the forecast of a file's end: from its own errors behind the training rows."""

import csv
from datetime import date, datetime, timedelta

import numpy as np
import pytest
import torch
from generated import ROOT, write_series, write_series_config

from amlnn.engine.series import end_intervals
from amlnn.engine.train import TrainOptions, train
from amlnn.formulas.adaptive_conformal import AdaptiveConformal
from amlnn.formulas.conformal import Conformal

LOOK_BACK, HORIZON, ROWS = 24, 4, 500  # of which 350 are trained on, and 50 validate


def noise(rows=ROWS, seed=0):
    return np.random.default_rng(seed).normal(0, 1, rows).round(4)


def write(path, values, names=None):
    """An hourly series `y`; of many `values` a panel of days, whose series have names."""
    if names is None:
        lines = ['date,y', *(f'{datetime(2020, 1, 1) + timedelta(hours=row)},{value}'
                             for row, value in enumerate(values))]
    else:
        lines = ['date,shop,y', *(
            f'{date(2020, 1, 1) + timedelta(days=row)},{name},{value}'
            for name, each in zip(names, values, strict=True) for row, value in enumerate(each))]
    path.write_text('\n'.join(lines) + '\n')
    return path


def write_config(path, file, more=''):
    path.write_text(
        f"_base_ = {str(ROOT / 'configs/series/own_repeat_last.py')!r}\n"
        f'train_dataloader = dict(dataset=dict(look_back={LOOK_BACK}, horizon={HORIZON},'
        f'season=24, source=dict(path={str(file)!r})))\n{more}\n')
    return path


@pytest.fixture(scope='module')
def hourly(tmp_path_factory):
    folder = tmp_path_factory.mktemp('hourly')
    config = write_config(folder / 'own.py', write(folder / 'series.csv', noise()))
    return config, train(TrainOptions(config, work_dir=folder / 'runs')) / 'best.pth'


@pytest.fixture
def predicted(run_tool, tmp_path):
    def predict(config, checkpoint, file):
        out = tmp_path / 'out.csv'
        status, _, errors = run_tool('predict', config, checkpoint, file, '--out', out)
        assert status == 0, errors
        return list(csv.DictReader(out.read_text().splitlines())), errors
    return predict


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def by_hand(values, first, checkpoint):
    """[2, 2, P]: lower and upper ends, from the errors of repeating the last value."""
    content = torch.load(checkpoint, weights_only=True)
    scaler = content['meta']['dataset_meta']['scaler']
    scaled = (values - scaler['mean'][0]) / scaler['deviation'][0]
    origins = np.arange(first, len(values) + 1)
    point = np.repeat(scaled[origins - 1][:, None, None], HORIZON, axis=1)
    rows = origins[:, None] + np.arange(HORIZON)
    known = (rows < len(values))[..., None]
    target = scaled[np.minimum(rows, len(values) - 1)][..., None]
    static = [Conformal(each['margin'].numpy(), each['level']) for each in content['intervals']]
    low, high = AdaptiveConformal(static, until=len(origins) - 1).bounds(point, target, known)
    return np.stack([low, high])[:, :, -1, :, 0] * scaler['deviation'][0] + scaler['mean'][0]


def test_a_checkpoint_says_where_its_training_ended(hourly):
    info = torch.load(hourly[1], weights_only=True)['meta']['dataset_meta']
    last = datetime.fromisoformat('2020-01-01T00:00:00+00:00') + timedelta(hours=349)
    assert info['trained_until'] == {'times': [int(last.timestamp())]}


@pytest.mark.parametrize('change', [1.0, 5.0, 0.2])
def test_intervals_come_from_the_file_s_errors_behind_the_training_rows(hourly, predicted, tmp_path,
                                                                        change):
    config, checkpoint = hourly
    values = noise()
    values[350:] *= change  # a series that is five times as wild since, or a fifth
    rows, errors = predicted(config, checkpoint, write(tmp_path / 'new.csv', values.round(4)))
    assert 'note: intervals: from the errors of 150 earlier forecasts of this file' in errors
    (low, lower), (high, higher) = by_hand(values.round(4), 350, checkpoint)
    for name, expected in (('low_80', low), ('low_95', lower), ('high_80', high),
                           ('high_95', higher)):
        np.testing.assert_allclose(column(rows, f'y_{name}'), expected, rtol=1e-3, atol=2e-3)
    width = (column(rows, 'y_high_80') - column(rows, 'y_low_80')).mean()
    # Two values of noise differ by sqrt(2) deviations: 2 * 1.2816 * sqrt(2) hold 80 %.
    assert width == pytest.approx(3.62 * change, rel=0.25)


def test_rows_that_were_trained_on_do_not_count(hourly, predicted, tmp_path):
    config, checkpoint = hourly
    tame = noise()
    tame[:349] = 0  # without any error
    one, _ = predicted(config, checkpoint, write(tmp_path / 'tame.csv', tame))
    other, _ = predicted(config, checkpoint, write(tmp_path / 'own.csv', noise()))
    assert one == other


@pytest.mark.parametrize(('rows', 'own'), [(350 + 43, True), (350 + 42, False), (200, False)])
def test_a_file_with_few_such_rows_has_the_validation_part_s_margins(hourly, predicted, tmp_path,
                                                                    rows, own):
    """40 windows are known to the fourth step where 43 rows lie behind the training."""
    config, checkpoint = hourly
    found, errors = predicted(config, checkpoint, write(tmp_path / 'few.csv', noise()[:rows]))
    assert ('from the errors on the validation part; the file has too few rows' in errors) != own
    assert ('43 earlier forecasts' in errors) == own
    assert_static(found, checkpoint, not own)


def assert_static(rows, checkpoint, static):
    content = torch.load(checkpoint, weights_only=True)
    deviation = content['meta']['dataset_meta']['scaler']['deviation'][0]
    margin = content['intervals'][0]['margin'].numpy()[:, 0] * deviation
    width = column(rows, 'y_high_80') - column(rows, 'y')
    assert np.allclose(width, margin, rtol=1e-3, atol=1e-3) == static


def test_an_older_checkpoint_forecasts_with_the_margins_it_holds(hourly, predicted, tmp_path):
    config, checkpoint = hourly
    content = torch.load(checkpoint, weights_only=True)
    del content['meta']['dataset_meta']['trained_until']
    torch.save(content, tmp_path / 'old.pth')
    rows, errors = predicted(config, tmp_path / 'old.pth', write(tmp_path / 'new.csv', noise()))
    assert 'the checkpoint does not say where its training ended' in errors
    assert_static(rows, checkpoint, True)


def test_a_newer_part_of_the_series_counts_from_its_first_window(hourly, predicted, tmp_path):
    config, checkpoint = hourly
    whole = write(tmp_path / 'whole.csv', noise()).read_text().splitlines()
    part = tmp_path / 'part.csv'
    part.write_text('\n'.join([whole[0], *whole[1 + 420:]]) + '\n')
    _, errors = predicted(config, checkpoint, part)
    assert f'the errors of {80 - LOOK_BACK} earlier forecasts' in errors


def test_missing_rows_are_left_out_of_the_errors(hourly, predicted, tmp_path):
    config, checkpoint = hourly
    lines = write(tmp_path / 'whole.csv', noise()).read_text().splitlines()
    gap = tmp_path / 'gap.csv'
    gap.write_text('\n'.join(lines[:400] + lines[406:]) + '\n')
    rows, errors = predicted(config, checkpoint, gap)
    assert '150 earlier forecasts' in errors
    widths = column(rows, 'y_high_95') - column(rows, 'y')
    # What is missing is read as 0 in no window: the largest error is one of noise.
    assert (widths < 6).all() and (widths > 1).all()


def test_a_network_s_intervals_are_made_so_too_and_batches_change_nothing(predicted, tmp_path,
                                                                         monkeypatch):
    file = write_series(tmp_path / 'series.csv')
    config = write_series_config(tmp_path / 'small.py', file, epochs=1)
    checkpoint = train(TrainOptions(config, work_dir=tmp_path / 'runs')) / 'best.pth'
    rows, errors = predicted(config, checkpoint, file)
    assert 'from the errors of 120 earlier forecasts' in errors
    monkeypatch.setattr(end_intervals, '_BLOCK', 7)
    again, _ = predicted(config, checkpoint, file)
    for name in ('c0_low_80', 'c0_high_95', 'c1_low_95'):
        np.testing.assert_allclose(column(rows, name), column(again, name), rtol=1e-3)
    monkeypatch.setattr(end_intervals, '_TOGETHER', 60)  # every second window
    thinned, errors = predicted(config, checkpoint, file)
    assert 'from the errors of 60 earlier forecasts' in errors
    assert column(thinned, 'c0_low_80').tolist() != column(rows, 'c0_low_80').tolist()


def test_series_of_a_panel_have_their_own_errors_or_their_margins(predicted, tmp_path):
    values = [noise(400, 1), 10 * noise(400, 2), noise(100, 3)]
    file = write(tmp_path / 'shops.csv', values, ['a', 'b', 'c'])
    config = write_config(tmp_path / 'own.py', file, "train_dataloader['dataset'].update(season=7)")
    checkpoint = train(TrainOptions(config, work_dir=tmp_path / 'runs')) / 'best.pth'
    wild = [values[0] * np.where(np.arange(400) < 280, 1, 4), values[1], values[2]]
    rows, errors = predicted(config, checkpoint, write(tmp_path / 'wild.csv', wild,
                                                       ['a', 'b', 'c']))
    assert 'the errors of 120 earlier forecasts of this file; of 1 series with too few rows, ' \
           'from the errors on the validation part' in errors
    before, _ = predicted(config, checkpoint, file)
    width = {name: [(column(found, 'y_high_80') - column(found, 'y_low_80'))[place:place + 4].mean()
                    for found in (before, rows)] for name, place in (('a', 0), ('b', 4), ('c', 8))}
    assert width['a'][1] > 3 * width['a'][0]
    assert width['b'][0] == pytest.approx(width['b'][1])
    assert width['c'][0] == pytest.approx(width['c'][1])


def test_a_file_without_times_counts_its_rows(tmp_path, predicted):
    values = noise()
    np.save(tmp_path / 'series.npy', values[:, None])
    config = write_config(tmp_path / 'own.py', tmp_path / 'series.csv')
    text = config.read_text().replace("source=dict(path=", "source=dict(_delete_=True, "
                                      "type='ArraySeries', path=").replace('.csv', '.npy')
    config.write_text(text)
    checkpoint = train(TrainOptions(config, work_dir=tmp_path / 'runs')) / 'best.pth'
    info = torch.load(checkpoint, weights_only=True)['meta']['dataset_meta']
    assert info['trained_until'] == {'rows': [350]}
    _, errors = predicted(config, checkpoint, tmp_path / 'series.npy')
    assert '150 earlier forecasts' in errors
    np.save(tmp_path / 'last.npy', values[-100:, None])
    _, errors = predicted(config, checkpoint, tmp_path / 'last.npy')
    assert 'too few rows' in errors


def test_levels_do_not_cross(hourly, predicted, tmp_path):
    config, checkpoint = hourly
    rows, _ = predicted(config, checkpoint, write(tmp_path / 'new.csv', noise(seed=4)))
    assert (column(rows, 'y_low_95') <= column(rows, 'y_low_80')).all()
    assert (column(rows, 'y_high_95') >= column(rows, 'y_high_80')).all()
