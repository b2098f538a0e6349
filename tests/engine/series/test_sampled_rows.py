"""Slow methods beside a forecast: on which windows, beside what, kept, and refused in two lines."""

import json
import sys
import types

import numpy as np
import pytest
from generated import ROOT, write_series, write_series_config

from amlnn.engine.series.sampled_rows import sample_windows
from amlnn.engine.train import TrainOptions, train
from amlnn.models.series.baselines import STATISTICAL
from amlnn.records import OWN, read_test


class LastValue:
    """In the place of a model of statsforecast: repeats the last value."""

    calls = 0

    def __init__(self, season_length, **more):
        assert season_length == 24

    def forecast(self, y, h):
        type(self).calls += 1
        return {'mean': np.full(h, y[-1])}


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A config of 400 hours of two columns, 75 test windows, and its run."""
    folder = tmp_path_factory.mktemp('run')
    path = write_series_config(folder / 'small.py', write_series(folder / 'series.csv'), epochs=1)
    return path, train(TrainOptions(path, work_dir=folder / 'runs'))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr('amlnn.user_cache.cache_folder',
                        lambda: tmp_path / 'cache')
    return tmp_path / 'cache'


@pytest.fixture
def package(monkeypatch):
    """A stand-in for statsforecast: all of its models repeat the last value."""
    fake = types.ModuleType('statsforecast')
    kind = type('Model', (LastValue, ), {})
    fake.models = types.SimpleNamespace(AutoETS=kind, AutoTheta=kind, AutoARIMA=kind)
    monkeypatch.setitem(sys.modules, 'statsforecast', fake)
    return kind


@pytest.fixture
def tested(run, run_tool):
    def test(*options):
        status, output, errors = run_tool('test', run[0], run[1] / 'best.pth', *options)
        assert status == 0, errors
        return read_test(run[1] / 'test_test.json'), output
    return test


def test_on_all_windows_a_slow_method_is_a_row_like_the_others(tested, package):
    record, output = tested('--baselines', 'theta', 'ets', '--baseline-windows', '0')
    assert list(record.baselines)[-2:] == ['Theta', 'ETS'] and not record.sampled_baselines
    # The stand-in is the method of another row, which has intervals beside.
    other = {name: value for name, value in record.baselines['repeat last'].items()
             if not name.startswith('interval/')}
    assert record.baselines['ETS'] == pytest.approx(other)
    assert 'Theta' in output and 'sample' not in output


def test_a_sample_has_the_errors_of_its_windows_and_the_model_s_on_the_same(run, tested, package):
    record, output = tested('--baselines', 'arima', '--baseline-windows', '10')
    assert list(record.sampled_baselines) == [OWN, 'ARIMA'] and 'ARIMA' not in record.baselines
    with np.load(run[1] / 'predictions_test.npz') as arrays:
        target, forecast, scale = (arrays[name].astype(float)
                                   for name in ('target', 'forecast', 'deviation'))
    at = [0, 7, 15, 22, 30, 37, 45, 52, 60, 67]  # of 75
    series = np.loadtxt(run[0].parent / 'series.csv', delimiter=',', skiprows=1, usecols=(1, 2))
    scaled = (series - series[:280].mean(0)) / series[:280].std(0)
    last = np.stack([scaled[320 + place - 1] for place in at])[:, None]
    for name, error in ((OWN, forecast[at] - target[at]), ('ARIMA', last - target[at])):
        row = record.sampled_baselines[name]
        assert row['windows'] == 10
        assert row['forecast/mse'] == pytest.approx(np.square(error).mean(), rel=1e-5)
        assert row['forecast/mae'] == pytest.approx(np.abs(error).mean(), rel=1e-5)
        assert row['forecast/mse_original'] == pytest.approx(np.square(error * scale).mean(),
                                                             rel=1e-5)
        assert row['forecast/mae_original'] == pytest.approx(np.abs(error * scale).mean(),
                                                             rel=1e-5)
    assert 'small, sample' in output and 'ARIMA, sample' in output
    assert '10 of the 75 windows, evenly spaced' in output


def test_a_larger_sample_computes_only_what_is_new(tested, package):
    tested('--baselines', 'ets', '--baseline-windows', '10')
    assert package.calls == 10 * 2
    first = tested('--baselines', 'ets', '--baseline-windows', '10')[0]
    assert package.calls == 10 * 2
    tested('--baselines', 'ets', '--baseline-windows', '20')
    assert package.calls == 20 * 2
    tested('--baselines', 'theta', '--baseline-windows', '10')
    assert package.calls == 30 * 2
    assert tested('--baselines', 'ets', '--baseline-windows', '10')[0].sampled_baselines == \
        first.sampled_baselines


def test_what_was_interrupted_goes_on(run, run_tool, tested, package, monkeypatch):
    whole = package.forecast

    def stop(self, y, h):
        if package.calls == 9:
            raise KeyboardInterrupt
        return whole(self, y, h)

    monkeypatch.setattr(package, 'forecast', stop)
    status, output, _ = run_tool('test', run[0], run[1] / 'best.pth', '--baselines', 'ets')
    assert status == 130 and 'ETS: 4 of 75 windows are kept' in output
    monkeypatch.setattr(package, 'forecast', whole)
    tested('--baselines', 'ets')
    assert package.calls == 9 + (75 - 4) * 2


def test_a_damaged_cache_is_computed_again(tested, package, cache):
    tested('--baselines', 'ets', '--baseline-windows', '5')
    for path in (cache / 'baselines').iterdir():
        path.write_text('{')
    record, _ = tested('--baselines', 'ets', '--baseline-windows', '5')
    assert package.calls == 2 * 5 * 2 and record.sampled_baselines['ETS']['windows'] == 5


@pytest.mark.parametrize(('wanted', 'expected'), [
    (3, [0, 3, 6]), (10, list(range(10))), (11, list(range(10))), (0, list(range(10)))])
def test_windows_of_a_sample_are_evenly_spaced(wanted, expected):
    assert sample_windows(10, wanted) == expected


def refused(run, run_tool, *options):
    status, _, errors = run_tool('test', run[0], run[1] / 'best.pth', *options)
    lines = errors.strip().splitlines()
    assert status == 2 and len(lines) == 2, errors
    assert lines[0].startswith('error: ') and lines[1].startswith('hint: ')
    return errors


def test_mistakes_are_two_lines(run, run_tool, package, monkeypatch):
    assert 'without --baselines' in refused(run, run_tool, '--baseline-windows', '5')
    assert 'below 0' in refused(run, run_tool, '--baselines', 'ets', '--baseline-windows', '-1')
    assert 'arima' in refused(run, run_tool, '--baselines', 'sarima')

    def fail(self, y, h):
        raise NotImplementedError('tiny datasets')

    monkeypatch.setattr(package, 'forecast', fail)
    errors = refused(run, run_tool, '--baselines', 'ets')
    assert 'ETS cannot be fitted to a window of 24 rows with a season of 24: tiny' in errors
    monkeypatch.setattr(package, 'forecast', lambda self, y, h: {'mean': np.full(h, np.nan)})
    assert 'not finite' in refused(run, run_tool, '--baselines', 'ets')
    monkeypatch.setitem(sys.modules, 'statsforecast', None)
    errors = refused(run, run_tool, '--baselines', 'theta')
    assert 'Theta needs the package statsforecast' in errors
    assert 'pip install statsforecast' in errors


def test_a_classification_has_no_such_rows(write_config, run_tool, tmp_path):
    assert run_tool('train', write_config(epochs=1), '--pretrained', 'none')[0] == 0
    status, _, errors = run_tool('test', write_config(epochs=1),
                                 'work_dirs/small/latest/best.pth', '--baselines', 'ets')
    assert status == 2 and len(errors.strip().splitlines()) == 2
    assert 'classifies images' in errors


def test_the_command_offers_every_slow_method():
    text = (ROOT / 'amlnn/commands/test.py').read_text()
    assert str([name.lower() for name in STATISTICAL]) in text


def test_the_package_itself_where_it_is_installed(tested, cache):
    pytest.importorskip('statsforecast')
    record, _ = tested('--baselines', 'ets', 'theta', 'arima', '--baseline-windows', '4')
    rows = record.sampled_baselines
    assert list(rows) == [OWN, 'ETS', 'Theta', 'ARIMA']
    # One day is little for any of them: what they err is not the point.
    assert all(0 < row['forecast/mse'] < 10 and row['windows'] == 4 for row in rows.values())
    kept = [json.loads(path.read_text()) for path in (cache / 'baselines').iterdir()]
    # A method's file holds windows by name; that of the simple ones is a list of rows and series.
    by_window = [each for each in kept if isinstance(each, dict)]
    assert [set(each) for each in by_window] == [{'0', '18', '37', '56'}] * 3
