"""Where rows lie in a cycle, whichever file they are in, and which cycle repeats best."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlnn.data.series.clock import Clock
from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.cycles import conclude_cycle, known_cycles
from amlnn.data.series.ends import last_windows
from amlnn.data.series.series import Series
from amlnn.data.series.time_grid import TimeGrid
from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError

START = datetime(2023, 3, 1, 5)  # a Wednesday


class Held:
    def __init__(self, series):
        self.series = series

    def read(self):
        return self.series


def hours(count, start=START):
    return np.array([start + timedelta(hours=hour) for hour in range(count)], 'M8[s]')


def series(count, start=START, times=True, seed=0):
    values = np.random.default_rng(seed).normal(size=(count, 2))
    return Series(values, np.ones(values.shape, bool), ['a', 'b'],
                  hours(count, start) if times else None)


def windows(source, split='train', cycle=24, **options):
    source = source if isinstance(source, CSVSeries) else Held(source)
    return SeriesWindows(source, 5, 3, split, cycle=cycle, **options)


def every(dataset):
    return dataset.__getitems__(range(len(dataset)))


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
@pytest.mark.parametrize('stride', [1, 3])
def test_a_window_says_the_hour_of_day_and_of_week_of_its_first_target(split, stride):
    dataset = windows(series(400), split, stride=stride)
    found = every(dataset)['position'].numpy()
    firsts = dataset.times[dataset.window_start_rows(range(len(dataset))) + 5]
    for position, time in zip(found.tolist(), firsts.tolist(), strict=True):
        assert position % 24 == time.hour
        assert position % 168 == 24 * time.weekday() + time.hour


def test_without_a_cycle_a_batch_and_the_metainfo_are_as_they_were():
    plain, cyclic = windows(series(400), cycle=None), windows(series(400))
    assert set(every(plain)) == {'inputs', 'targets', 'index'}
    assert set(every(cyclic)) - set(every(plain)) == {'position'}
    assert plain.metainfo == {name: value for name, value in cyclic.metainfo.items()
                              if name != 'cycle'}


def test_without_times_rows_are_counted_from_the_first_of_each_series():
    dataset = windows(series(400, times=False), 'val')
    assert every(dataset)['position'].tolist() == \
        (dataset.window_start_rows(range(len(dataset))) + 5).tolist()


def panel(tmp_path, spans, name='panel.csv', gap=()):
    """A CSV of series `s0`, `s1`, ... that each begin so many hours after START, with values that
    only their time and series tell."""
    lines = ['date,id,y']
    for place, (first, count) in enumerate(spans):
        lines += [f'{START + timedelta(hours=hour)},s{place},{np.sin(hour * 0.7 + place):.5f}'
                  for hour in range(first, first + count) if hour not in gap]
    path = tmp_path / name
    path.write_text('\n'.join(lines) + '\n')
    return CSVSeries(str(path), date_column='date', id_column='id', gaps='mask', missing='mask')


def test_every_series_of_a_panel_keeps_its_place_and_rows_left_out_do_too(tmp_path):
    gap = {40, 41, 42, 90}
    dataset = windows(panel(tmp_path, [(0, 200), (7, 300)], gap=gap), 'val')
    rows = dataset.window_start_rows(range(len(dataset))) + 5
    expected = [int(time.hour) for time in dataset.times[rows].tolist()]
    assert (every(dataset)['position'] % 24).tolist() == expected
    assert len(set(dataset.window_series(range(len(dataset))).tolist())) == 2


@pytest.mark.parametrize('cut', [1, 13, 100])
def test_the_end_of_a_file_lies_where_it_does_whatever_was_cut_from_its_beginning(cut):
    whole = series(300)
    info = windows(whole).metainfo
    rows = slice(cut, None)
    part = Series(whole.values[rows], whole.observed[rows], whole.columns, whole.times[rows])
    ends = [last_windows(each, info) for each in (whole, part)]
    assert ends[0].position.tolist() == ends[1].position.tolist()
    following = START + timedelta(hours=300)
    assert ends[0].position[0] % 168 == 24 * following.weekday() + following.hour
    assert last_windows(whole, {**info, 'cycle': None}).position is None


def test_where_clocks_change_the_hour_on_the_wall_counts():
    clock = Clock(ZoneInfo('Europe/Berlin'))
    instants = np.arange(np.datetime64('2024-03-30T00', 's'), np.datetime64('2024-04-02T00', 's'),
                         np.timedelta64(3600, 's'))
    found = TimeGrid('second', 3600).absolute(instants, clock)
    assert (found % 24).tolist() == [time.hour for time in clock.wall(instants).tolist()]


GRIDS = ['15 minutes', '6 hours', 'day', '3 days', 'business days', 'mon, wed, sat', 'month end',
         'quarter end', '30 minutes from 08:00 to 16:30',
         '1 hour from 09:00 to 17:00, business days']


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(GRIDS), days=st.integers(0, 15000))
def test_rows_that_follow_each_other_lie_one_step_apart_on_every_grid(name, days):
    grid = TimeGrid.parse(name)
    hour = 12 if grid.unit == 'daytime' else 0
    first = np.datetime64('2025-01-31T00:00:00') + np.timedelta64(3600 * hour, 's')
    times = grid.ahead(first, 400)[days % 50:]
    found = grid.absolute(times)
    assert (np.diff(found) == 1).all()
    assert found[3:].tolist() == grid.absolute(times[3:]).tolist()


def test_a_season_and_a_week_of_which_one_holds_the_other_are_known():
    def known(name, season):
        return known_cycles(season, name and TimeGrid.parse(name))

    assert known('15 minutes', 96) == [96, 672]
    assert known('day', 7) == [7]
    assert known('1 hour', 25) == [25]
    assert known('business days', 5) == [5]
    assert known('30 minutes from 08:00 to 16:30', 18) == [18, 126]
    assert known(None, None) == [] and known('month', 12) == [12] and known('6 hours', None) == [28]


def cyclic(weekend, noise=0.3, rows=24 * 7 * 30, swing=1.0, seed=0):
    hour = np.arange(rows)
    random = np.random.default_rng(seed)
    day = np.sin(hour * 2 * np.pi / 24) * np.where(hour // 24 % 7 > 4, weekend, 1.0)
    return hour, (swing * day + random.normal(0, noise, rows)
                  + random.normal(0, 0.05, rows).cumsum())[:, None]


@pytest.mark.parametrize(('options', 'expected'), [
    (dict(weekend=0.2), 168), (dict(weekend=1.0), 24), (dict(weekend=1.0, swing=0.0), None),
    (dict(weekend=0.2, rows=24 * 7 * 6), 24), (dict(weekend=0.2, rows=100), None)], ids=str)
def test_the_cycle_that_repeats_best_is_taken(options, expected):
    hour, values = cyclic(**options)
    found, note = conclude_cycle(values, hour, np.array([0, len(hour)]), [24, 168])
    assert found == expected
    assert str(expected or 'no cycle') in note


def test_a_cycle_is_found_over_gaps_in_the_training_part_alone():
    hour, values = cyclic(0.2)
    values[::3] = np.nan
    values[len(values) * 7 // 10:] = 1e6 * np.random.default_rng(1).normal(
        size=(len(values) - len(values) * 7 // 10, 1))
    observed = ~np.isnan(values)
    source = Series(values, observed, ['y'], hours(len(hour)))
    dataset = windows(source, cycle='auto')
    assert dataset.metainfo['cycle'] == 168
    assert 'a cycle of 168 rows is learnt' in dataset.notes


def test_a_series_without_a_cycle_says_so_and_has_none():
    dataset = windows(series(400), cycle='auto')
    assert 'cycle' not in dataset.metainfo and 'position' not in every(dataset)
    assert any('no cycle is learnt' in note for note in dataset.notes)


@pytest.mark.parametrize('cycle', [0, 1, -24, 2.0, 'week', True])
def test_what_is_no_cycle_is_refused(cycle):
    with pytest.raises(DataError, match='cycle=') as error:
        windows(series(400), cycle=cycle)
    assert error.value.hint
