"""Windows: which rows belong to which part, what a batch holds, and copies of test windows."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.parts import split_borders
from amlnn.data.series.series import Series
from amlnn.data.series.window_loader import WindowLoader
from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError

ETTH1 = Path(os.environ.get('AMLNN_SHARED', ROOT / '../shared')) / 'data/ETTh1.csv'
HOUR = np.datetime64('2020-01-01T00:00:00')


class Held:
    """A source that holds its series."""

    def __init__(self, values, missing=None, hourly=False, truth=None):
        values = np.array(values, dtype=np.float64)
        values = values.reshape(len(values), -1)
        observed = np.ones(values.shape, dtype=bool) if missing is None else ~np.array(missing)
        times = HOUR + np.arange(len(values)) * np.timedelta64(3600, 's') if hourly else None
        self.series = Series(values, observed, list('abcdefgh')[:values.shape[1]], times, truth)

    def read(self):
        return self.series


def noise(rows=100, columns=2, seed=0):
    return np.random.default_rng(seed).normal(3, 2, size=(rows, columns))


def make(values=None, look_back=5, horizon=3, split='train', **options):
    source = Held(noise() if values is None else values)
    return SeriesWindows(source, look_back, horizon, split, **options)


def every(windows):
    return windows.__getitems__(np.arange(len(windows)))


def refused(*pieces, **options):
    with pytest.raises(DataError) as caught:
        make(**options)
    assert caught.value.hint
    for piece in pieces:
        assert piece in caught.value.message + '\n' + caught.value.hint


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(30, 90), look_back=st.integers(1, 9), horizon=st.integers(1, 4),
       stride=st.integers(1, 4), split=st.sampled_from(['train', 'val', 'test']))
def test_windows_are_those_of_a_loop_over_the_rows(rows, look_back, horizon, stride, split):
    values = np.arange(rows * 2).reshape(rows, 2)
    windows = make(values, look_back, horizon, split, ratios=(0.6, 0.2, 0.2), stride=stride,
                   scale=False)
    test = int(rows * 0.2)
    begin, end = {'train': (0, int(rows * 0.6)), 'val': (int(rows * 0.6), rows - test),
                  'test': (rows - test, rows)}[split]
    expected = [row for row in range(rows)  # row: that of the first target
                if row >= look_back and row >= begin and row + horizon <= end][::stride]
    batch = every(windows)
    assert len(windows) == len(expected)
    assert batch['index'].tolist() == list(range(len(expected)))
    for place, row in enumerate(expected):
        assert np.array_equal(batch['inputs'][place], values[row - look_back:row])
        assert np.array_equal(batch['targets'][place], values[row:row + horizon])
    assert windows.window_start_rows(batch['index']).tolist() == \
        [row - look_back for row in expected]


def test_every_target_row_lies_in_its_own_part_and_the_input_may_reach_back():
    windows = {split: make(split=split, borders=(60, 80, 95), look_back=30)
               for split in ('train', 'val', 'test')}
    targets = {split: {int(row) + 30 + step for row in
                       part.window_start_rows(np.arange(len(part))) for step in range(3)}
               for split, part in windows.items()}
    assert targets == {'train': set(range(30, 60)), 'val': set(range(60, 80)),
                       'test': set(range(80, 95))}
    assert windows['val'].window_start_rows(0) == 30


def test_the_scaler_knows_the_training_rows_only():
    values = noise()
    changed = values.copy()
    changed[70:] += 1000
    for split in ('train', 'val', 'test'):
        windows = make(changed, split=split)
        np.testing.assert_allclose(windows.scaler.mean, values[:70].mean(axis=0))
        np.testing.assert_allclose(windows.scaler.deviation, values[:70].std(axis=0))
    scaled = (changed - values[:70].mean(axis=0)) / values[:70].std(axis=0)
    batch = windows[len(windows) - 1]
    np.testing.assert_allclose(batch['targets'][0], scaled[-3:], rtol=1e-6)
    np.testing.assert_allclose(batch['inputs'][0], scaled[-8:-3], rtol=1e-6)
    np.testing.assert_allclose(windows.scaler.inverse(batch['targets'][0].numpy()), changed[-3:],
                               rtol=1e-6)
    np.testing.assert_allclose(make(values).training_values.std(axis=0), 1, rtol=1e-6)


def test_the_scaler_of_a_checkpoint_counts_instead_of_the_training_rows():
    values = noise()
    state = {'mean': [1.0, 2.0], 'deviation': [4.0, 0.5]}
    windows = make(values, scaler=state)
    assert windows.metainfo['scaler'] == state
    np.testing.assert_allclose(windows[0]['inputs'][0], (values[:5] - [1, 2]) / [4, 0.5], rtol=1e-5)
    scaled = windows.part_rows('test')[0][90 - windows.borders[1]:][:5]
    np.testing.assert_allclose(scaled, (values[90:95] - [1, 2]) / [4, 0.5], rtol=1e-5)


def test_unscaled_values_stay_as_they_are():
    values = noise()
    windows = make(values, scale=False)
    assert np.array_equal(windows[0]['inputs'][0], values[:5].astype(np.float32))
    assert windows.metainfo['scaler'] == {'mean': [0, 0], 'deviation': [1, 1]}


def test_windows_are_views_of_values_kept_once():
    windows = make(noise(1000), look_back=300)
    stored = windows._values.untyped_storage()
    assert stored.nbytes() == 1000 * 2 * 4
    for view in (windows._inputs, windows._targets):
        assert view.untyped_storage().data_ptr() == stored.data_ptr()


def test_a_batch_is_a_copy_that_a_model_may_change():
    windows = make()
    windows[0]['inputs'].zero_()
    assert windows[0]['inputs'].abs().min() > 0


def test_types_and_shapes_of_a_batch():
    windows = make(noise(columns=4), targets=['d', 'b'], extra=['a'])
    batch = windows.__getitems__([3, 1])
    assert {name: (value.dtype, tuple(value.shape)) for name, value in batch.items()} == {
        'inputs': (torch.float32, (2, 5, 3)), 'targets': (torch.float32, (2, 3, 2)),
        'index': (torch.int64, (2,))}
    assert batch['index'].tolist() == [3, 1]


def test_targets_come_before_extra_columns_in_the_order_given():
    values = noise(columns=4)
    windows = make(values, targets=['d', 'b'], extra=['a'], scale=False)
    batch = windows[2]
    assert np.array_equal(batch['inputs'][0], values[2:7, [3, 1, 0]].astype(np.float32))
    assert np.array_equal(batch['targets'][0], values[7:10, [3, 1]].astype(np.float32))
    assert (windows.columns, windows.extra_columns) == (['d', 'b'], ['a'])
    assert make(values, extra=['c']).columns == ['a', 'b', 'd']


def test_missing_values_are_zero_and_masked_in_every_part():
    values, missing = noise(), np.zeros((100, 2), dtype=bool)
    missing[[3, 6, 6], [0, 0, 1]] = True
    values[missing] = np.nan
    source = Held(values, missing)
    batch = SeriesWindows(source, 5, 3, 'train')[0]
    assert batch['observed'][0].tolist() == (~missing[:5]).tolist()
    assert batch['target_observed'][0].tolist() == (~missing[5:8]).tolist()
    assert batch['inputs'][0, 3, 0] == 0 and (batch['targets'][0, 1] == 0).all()
    later = SeriesWindows(source, 5, 3, 'test')[0]
    assert later['observed'].all() and later['target_observed'].all()
    training = SeriesWindows(source, 5, 3, 'train').training_values
    assert np.array_equal(np.isnan(training), missing[:70])
    # A column that is not used has no say.
    assert 'observed' not in SeriesWindows(Held(noise(), None), 5, 3, 'train')[0]
    missing[6, 1] = False
    source = Held(np.where(missing, np.nan, noise()), missing)
    assert 'observed' not in SeriesWindows(source, 5, 3, 'train', targets=['b'])[0]


@pytest.mark.parametrize('index', [-1, 63, 10**9])
def test_a_window_of_another_part_cannot_be_had(index):
    windows = make()
    assert len(windows) == 70 - 8 + 1 == 63
    with pytest.raises(IndexError):
        windows.__getitems__([0, index])
    if index > 0:
        with pytest.raises(IndexError):
            windows[index]


def test_a_window_counted_from_the_end_is_that_window():
    windows = make()
    assert torch.equal(windows[-1]['inputs'], windows[62]['inputs'])
    assert windows[-1]['index'].tolist() == [62]
    assert windows.__getitems__([])['inputs'].shape == (0, 5, 2)


def test_metainfo_is_plain_and_says_what_a_checkpoint_needs():
    values = noise(columns=3)
    windows = SeriesWindows(Held(values, hourly=True), 5, 3, 'val', targets=['c'], extra=['a'])
    info = windows.metainfo
    assert info == {
        'kind': 'series', 'columns': ['c'], 'extra_columns': ['a'], 'look_back': 5, 'horizon': 3,
        'scaler': {'mean': pytest.approx(values[:70, [2, 0]].mean(axis=0)),
                   'deviation': pytest.approx(values[:70, [2, 0]].std(axis=0))},
        'step': '1 hour', 'step_seconds': 3600.0, 'season': 24,
        'trained_until': {'times': [int(windows.times[69].astype('datetime64[s]').astype(int))]}}
    assert pickle.loads(pickle.dumps(info)) == info
    assert make().metainfo['season'] is None and make().metainfo['step_seconds'] is None
    assert make(season=12).metainfo['season'] == 12


def test_the_truth_is_scaled_like_the_targets():
    values = noise()
    windows = SeriesWindows(Held(values, truth=values), 5, 3, 'test', targets=['b'])
    truth = windows.target_truth(np.arange(len(windows)))
    np.testing.assert_allclose(truth, every(windows)['targets'], rtol=1e-5, atol=1e-6)
    assert make().target_truth([0]) is None


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
@pytest.mark.parametrize(('options', 'pieces'), [
    (dict(look_back=60, horizon=11), ['training part', '70 rows', '60', '11', '71']),
    (dict(look_back=5, horizon=11), ['validation part', '10 rows', '5', '11', '16']),
    (dict(horizon=15, borders=(60, 90, 100)), ['test part', '10 rows', '90 to 99', '15']),
])
def test_windows_too_long_for_any_part_are_refused_whatever_part_is_asked_for(split, options,
                                                                              pieces):
    refused(*pieces, split=split, **options)


def test_the_longest_windows_that_fit_are_taken():
    assert len(make(look_back=60, horizon=10)) == 1
    assert len(make(look_back=60, horizon=10, split='val')) == 1


def test_a_part_without_rows_is_refused_only_when_asked_for():
    assert len(make(ratios=(0.8, 0.2, 0), split='val')) == 18
    assert len(make(ratios=(1, 0, 0))) == 93
    refused('test part has no row', ratios=(0.8, 0.2, 0), split='test')


@pytest.mark.parametrize(('options', 'pieces'), [
    (dict(split='dev'), ['`dev`', 'train, val, test']),
    (dict(look_back=0), ['look_back=0']), (dict(horizon=2.5), ['horizon=2.5']),
    (dict(stride=-1), ['stride=-1']), (dict(season=0), ['season=0']),
    (dict(ratios=(0.7, 0.2, 0.2)), ['(0.7, 0.2, 0.2)', 'sum to 1']),
    (dict(ratios=(0.7, 0.3)), ['(0.7, 0.3)']), (dict(ratios=(1.2, -0.4, 0.2)), ['-0.4']),
    (dict(borders=(50, 40, 90)), ['(50, 40, 90)']), (dict(borders=(50, 90)), ['(50, 90)']),
    (dict(borders=(70, 80, 101)), ['101', '100 rows']),
    (dict(targets=['z']), ['`z`']), (dict(targets='a'), ["targets=['a']"]),
    (dict(targets=['a'], extra=['a']), ['`a`', 'twice']), (dict(extra=['a', 'b']), ['no column']),
])
def test_arguments_that_do_not_fit_are_refused(options, pieces):
    refused(*pieces, **options)


def test_a_column_that_is_constant_while_training_is_named():
    values = noise()
    values[:70, 1] = 4.5
    refused('`b`', '4.5', '70 training rows', 'scale=False', values=values)
    assert len(make(values, targets=['a'])) and len(make(values, scale=False))


@pytest.mark.parametrize(('rows', 'ratios', 'expected'), [
    (10, (0.7, 0.1, 0.2), (7, 8, 10)), (17420, (0.7, 0.1, 0.2), (12194, 13936, 17420)),
    (99, (0.6, 0.2, 0.2), (59, 80, 99)), (99, (0.8, 0, 0.2), (80, 80, 99)),
    (99, (0.8, 0.2, 0.0), (79, 99, 99))])
def test_borders_by_hand(rows, ratios, expected):
    assert split_borders(rows, ratios) == expected


# Windows that occur twice.


def copies(values, look_back, horizon, borders):
    """The same by brute force: first rows of test windows, and of their first copies."""
    length, found = look_back + horizon, []
    for start in range(borders[1] - look_back, borders[2] - length + 1):
        window = values[start:start + length]
        for row in range(borders[0] - length + 1):
            if np.array_equal(values[row:row + length], window):
                if (window != window[0]).any():
                    found.append((start, row))
                break
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_copies_are_those_that_brute_force_finds(data):
    values = np.array(data.draw(st.lists(st.integers(0, 2), min_size=40, max_size=60)))
    look_back, horizon = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    report = make(values, look_back, horizon, borders=(20, 28, 40), scale=False).overlap()
    assert list(zip(report.test_rows, report.train_rows, strict=True)) == \
        copies(values, look_back, horizon, (20, 28, 40))


def test_a_series_appended_to_itself_is_found_out():
    values = np.tile(noise(50, 3), (4, 1))
    report = make(values, 10, 5, split='val').overlap()
    assert report.windows == report.count == 36
    # The test part begins at row 160; its first window, at row 150, is the series from its start.
    assert (report.test_rows[0], report.train_rows[0]) == (150, 0)
    assert '36 of 36' in report.describe() and 'row 150' in report.describe()


def test_a_column_that_counts_hides_no_copy_and_fresh_data_has_none():
    values = np.column_stack([np.tile(noise(50, 1), (4, 1)), np.arange(200)])
    assert make(values, targets=['a'], extra=['b']).overlap().count == 38
    assert make(values).overlap().count == 0
    assert make(noise(200)).overlap().count == 0


def test_one_copied_stretch_is_found_where_it_is():
    values = noise(200, 2)
    values[170:180] = values[20:30]
    report = make(values).overlap()
    assert report.test_rows.tolist() == [170, 171, 172]
    assert report.train_rows.tolist() == [20, 21, 22]


def test_a_sensor_that_stands_still_is_no_copy_but_gaps_are_compared():
    values = noise(200, 1)
    values[20:40], values[170:190] = 1.5, 1.5
    report = make(values).overlap()
    assert (report.windows, report.count) == (38 - 13, 0)
    values = np.tile(noise(50, 1), (4, 1))
    missing = np.zeros(values.shape, dtype=bool)
    missing[170] = True
    source = Held(np.where(missing, np.nan, values), missing)
    assert SeriesWindows(source, 5, 3, 'test').overlap().count == 38 - 8


# The loader.


def test_every_window_comes_once_an_epoch_and_the_last_batch_may_be_short():
    loader = WindowLoader(make(), batch_size=10, shuffle=True, seed=3)
    batches = list(loader)
    assert [len(batch['index']) for batch in batches] == [10] * 6 + [3]
    assert len(loader) == 7
    assert sorted(torch.cat([batch['index'] for batch in batches]).tolist()) == list(range(63))
    shorter = WindowLoader(make(), batch_size=10, shuffle=True, seed=3, drop_last=True)
    assert [len(batch['index']) for batch in shorter] == [10] * 6
    assert len(shorter) == 6


def order(loader):
    return torch.cat([batch['index'] for batch in loader]).tolist()


def test_the_order_is_a_function_of_seed_and_epoch():
    first, second = (WindowLoader(make(), 8, True, seed=1) for _ in range(2))
    assert order(first) == order(first)
    np.random.seed(5)
    torch.manual_seed(5)
    second.set_epoch(4)
    later = order(second)
    assert later != order(first)
    first.sampler.set_epoch(4)
    assert order(first) == later
    first.set_epoch(0)
    assert order(first) == order(WindowLoader(make(), 8, True, seed=1))
    assert order(first) != order(WindowLoader(make(), 8, True, seed=2))
    assert order(WindowLoader(make(), 8, False, seed=1)) == list(range(63))
    assert list(first.sampler) == order(first) and len(first.sampler) == 63


def test_a_batch_of_the_loader_is_that_of_the_data_set():
    windows = make()
    for batch in WindowLoader(windows, 8, True, seed=1):
        expected = windows.__getitems__(batch['index'])
        assert all(torch.equal(batch[name], expected[name]) for name in expected)


@pytest.mark.parametrize('options', [dict(batch_size=0), dict(batch_size=2.0),
                                     dict(batch_size=64, drop_last=True)])
def test_a_loader_without_batches_is_refused(options):
    with pytest.raises(DataError, match='batch'):
        WindowLoader(make(), shuffle=True, seed=0, **options)


# The benchmark's file, where it is at hand.


@pytest.mark.skipif(not ETTH1.is_file(), reason='ETTh1.csv is not at hand')
@pytest.mark.parametrize(('horizon', 'windows', 'error'), [
    (96, 2785, 1.294), (192, 2689, 1.325), (336, 2545, 1.330), (720, 2161, 1.335)])
def test_etth1_has_the_published_windows_and_the_known_error_of_repeating(horizon, windows, error):
    part = SeriesWindows(CSVSeries(ETTH1), 336, horizon, 'test', borders=(8640, 11520, 14400))
    assert (len(part), part.season, len(part.columns)) == (windows, 24, 7)
    assert part.overlap().count == 0
    batch = every(part)
    last = batch['inputs'][:, -1:]
    assert float(((last - batch['targets']) ** 2).mean()) == pytest.approx(error, abs=5e-4)
