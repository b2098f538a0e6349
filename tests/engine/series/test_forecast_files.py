"""Forecasts that go on in a file's own steps, zone and digits, and files that do not fit."""

import calendar
import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import torch
from generated import write_series_config

from amlnn.engine.train import TrainOptions, train

BERLIN = ZoneInfo('Europe/Berlin')


def write_rows(path: Path, times, level=0.0, swing=1.0, decimals=4, more=None) -> Path:
    """A column `y` at these times: a cycle of 12 rows; `more` is what stands behind it."""
    lines = ['date,y' + (',temp' if more else '')]
    for place, time in enumerate(times):
        value = level + swing * np.sin(place * np.pi / 6) + swing * np.sin(place * 1.7) / 10
        lines.append(f'{time},{value:.{decimals}f}' + (f',{more(place)}' if more else ''))
    path.write_text('\n'.join(lines) + '\n')
    return path


def hours(count, start=datetime(2024, 1, 1), step=3600):
    return [start + timedelta(seconds=step * place) for place in range(count)]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Train a small model on a file of one column `y`; the config and its best checkpoint."""
    def make(file: Path, source: str = '', epochs: int = 1):
        folder = tmp_path_factory.mktemp('trained')
        path = write_series_config(folder / 'small.py', file, f'''
            train_dataloader = dict(dataset=dict(source=dict({source})))
            ''', epochs=epochs)
        return path, train(TrainOptions(path, work_dir=folder / 'runs')) / 'best.pth'
    return make


@pytest.fixture(scope='module')
def hourly(trained, tmp_path_factory):
    file = write_rows(tmp_path_factory.mktemp('hourly') / 'series.csv', hours(400))
    return *trained(file), file


def forecast(run_tool, config, checkpoint, file):
    out = file.with_suffix('.forecast')
    status, _, errors = run_tool('predict', config, checkpoint, file, '--out', out)
    assert status == 0, errors
    return list(csv.DictReader(out.read_text().splitlines()))


def refused(run_tool, config, checkpoint, file, *pieces):
    status, _, errors = run_tool('predict', config, checkpoint, file)
    lines = errors.strip().splitlines()
    assert status == 2 and len(lines) == 2, errors
    assert lines[0].startswith('error: ') and lines[1].startswith('hint: ')
    assert [piece for piece in pieces if piece not in errors] == []


def business_days():
    every = (date(2023, 1, 2) + timedelta(days=place) for place in range(10000))
    return [day for day in every if day.weekday() < 5][:406]


def month_ends():
    return [date(year, month, calendar.monthrange(year, month)[1])
            for year in range(1980, 2014) for month in range(1, 13)][:406]


@pytest.mark.parametrize('times', [business_days(), month_ends()], ids=['business', 'months'])
def test_a_forecast_is_dated_as_the_calendar_goes_on(trained, run_tool, tmp_path, times):
    file = write_rows(tmp_path / 'series.csv', times[:400])
    config, checkpoint = trained(file)
    rows = forecast(run_tool, config, checkpoint, file)
    assert [row['time'] for row in rows] == [f'{day} 00:00:00' for day in times[400:406]]


@pytest.mark.parametrize('end', [datetime(2024, 3, 30, 22), datetime(2024, 10, 26, 22)])
@pytest.mark.parametrize('named', [False, True])
def test_offsets_are_kept_where_clocks_change(trained, run_tool, tmp_path, end, named):
    """Written in the file, or those of a zone that the config names."""
    last = end.replace(tzinfo=BERLIN).astimezone(UTC) - timedelta(days=0 if named else 1)
    step = timedelta(hours=1 if named else 12)  # so that the file itself knows the other half year
    instants = [(last + place * step).astimezone(BERLIN) for place in range(-450, 7)]
    cells = [(each.replace(tzinfo=None) if named else each).isoformat() for each in instants]
    file = write_rows(tmp_path / 'series.csv', cells[:-6])
    config, checkpoint = trained(file, "timezone='Europe/Berlin'" if named else '')
    rows = forecast(run_tool, config, checkpoint, file)
    assert [row['time'] for row in rows] == [each.isoformat() for each in instants[-6:]]
    assert len({row['time'][-6:] for row in rows}) == 2


def test_a_forecast_has_the_digits_that_its_swing_gives_a_meaning_to(trained, run_tool, tmp_path):
    file = write_rows(tmp_path / 'large.csv', hours(400), 1234567890, 40, 2)
    config, checkpoint = trained(file, epochs=6)
    rows = forecast(run_tool, config, checkpoint, file)
    values = [row['y'] for row in rows]
    assert len(set(values)) == 6 and {len(each.partition('.')[2]) for each in values} == {4}
    assert all(abs(float(each) - 1234567890) < 100 for each in values)
    small = write_rows(tmp_path / 'small.csv', hours(400), 0, 4e-8, 12)
    config, checkpoint = trained(small, epochs=6)
    assert len({row['y'] for row in forecast(run_tool, config, checkpoint, small)}) == 6


@pytest.mark.parametrize(('seconds', 'step'), [(900, '15 minutes'), (86400, '1 day')])
def test_a_file_of_another_step_is_refused_with_both(hourly, run_tool, tmp_path, seconds, step):
    file = write_rows(tmp_path / 'other.csv', hours(400, step=seconds))
    config, checkpoint, _ = hourly
    refused(run_tool, config, checkpoint, file, f'`{checkpoint}` was trained on rows of 1 hour',
            f'rows of {step}')
    status, _, errors = run_tool('test', config, checkpoint, '--cfg-options',
                                 f'train_dataloader.dataset.source.path={file}')
    assert status == 2 and f'trained on rows of 1 hour, and the data has rows of {step}' in errors


def test_a_gap_counts_only_where_the_model_looks_back(hourly, run_tool, tmp_path):
    config, checkpoint, whole = hourly
    lines = whole.read_text().splitlines(keepends=True)
    early, late = tmp_path / 'early.csv', tmp_path / 'late.csv'
    early.write_text(''.join(lines[:100] + lines[106:]))
    late.write_text(''.join(lines[:-12] + lines[-6:]))
    assert forecast(run_tool, config, checkpoint, early) == forecast(run_tool, config, checkpoint,
                                                                     whole)
    refused(run_tool, config, checkpoint, late, '6 rows of 1 hour are missing in the last 24',
            '2024-01-17 04:00:00', "gaps='mask'")


def test_a_model_of_a_file_with_gaps_leaves_them_out(trained, run_tool, tmp_path, hourly):
    lines = hourly[2].read_text().splitlines(keepends=True)
    file = tmp_path / 'gaps.csv'
    file.write_text(''.join(lines[:100] + lines[106:-12] + lines[-6:]))
    config, checkpoint = trained(file, "gaps='mask'")
    rows = forecast(run_tool, config, checkpoint, file)
    assert rows[0]['time'] == '2024-01-17 16:00:00'
    assert all(np.isfinite(float(row['y'])) for row in rows)


def test_rows_of_the_future_and_a_column_that_ended_are_refused(trained, run_tool, tmp_path):
    file = write_rows(tmp_path / 'series.csv', hours(400), more=lambda row: f'{row % 12}.5')
    config, checkpoint = trained(file, "missing='mask'")
    lines = file.read_text().splitlines()
    future = tmp_path / 'future.csv'
    future.write_text('\n'.join([*lines, *(f'{time},,' for time in hours(24, datetime(
        2024, 1, 17, 16)))]))
    refused(run_tool, config, checkpoint, future, ':402`', 'last 24 rows', '2024-01-17 16:00:00')
    ended = tmp_path / 'ended.csv'
    ended.write_text('\n'.join(lines[:-50] + [','.join([*line.split(',')[:2], ''])
                                              for line in lines[-50:]]))
    refused(run_tool, config, checkpoint, ended, ':351`', '`temp`', '24 rows')


def test_an_older_checkpoint_is_read_by_its_seconds(hourly, run_tool, tmp_path):
    config, checkpoint, file = hourly
    state = torch.load(checkpoint, weights_only=True)
    assert state['meta']['dataset_meta'].pop('step') == '1 hour'
    old = tmp_path / 'old.pth'
    torch.save(state, old)
    assert forecast(run_tool, config, old, file) == forecast(run_tool, config, checkpoint, file)
    other = write_rows(tmp_path / 'other.csv', hours(100, step=900))
    refused(run_tool, config, old, other, 'rows of 1 hour', '15 minutes')


def test_a_column_that_is_left_out_in_training_may_be_anywhere(hourly, run_tool, tmp_path):
    config, checkpoint, file = hourly
    lines = file.read_text().splitlines()
    other = tmp_path / 'other.csv'
    other.write_text('\n'.join([f',{lines[0]}', *(f'{place},{line}' for place, line in
                                                  enumerate(lines[1:]))]))
    assert forecast(run_tool, config, checkpoint, other) == forecast(run_tool, config, checkpoint,
                                                                     file)


def test_a_spreadsheet_of_another_dialect_goes_on_in_the_same_numbers(hourly, run_tool, tmp_path):
    config, checkpoint, file = hourly
    rows = [line.split(',') for line in file.read_text().splitlines()[1:]]
    other = tmp_path / 'other.csv'
    other.write_text('\n'.join(['date;y', *(
        f'{datetime.fromisoformat(time):%d.%m.%Y %H:%M};{value.replace(".", ",")}'
        for time, value in rows)]), encoding='utf-16')
    assert forecast(run_tool, config, checkpoint, other) == forecast(run_tool, config, checkpoint,
                                                                     file)
