"""Many series in one file: read, laid on one grid, divided, scaled and windowed each on its own."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.ends import last_windows
from amlnn.data.series.time_grid import TimeGrid
from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError

DAY = datetime(2024, 1, 1)


def long_file(path, lengths, by_time=False, start=lambda place: DAY, step=timedelta(days=1),
              more=lambda place, row: ''):
    """Series `s0`, `s1`, ...: in row t of series s stands 1000 s + t."""
    rows = [(start(place) + row * step, f's{place}', 1000 * place + row, more(place, row))
            for place, length in enumerate(lengths) for row in range(length)]
    if by_time:
        rows.sort(key=lambda row: row[0])
    names = 'date,store,sales' + (',' + more.columns if hasattr(more, 'columns') else '')
    lines = [f'{when},{name},{value}{rest}' for when, name, value, rest in rows]
    path.write_text('\n'.join([names, *lines]) + '\n')
    return str(path)


def columns(names):
    def named(function):
        function.columns = names
        return function
    return named


def windows(path, split='train', look_back=7, horizon=3, source=None, **more):
    source = dict(type='CSVSeries', path=path, id_column='store') | (source or {})
    return SeriesWindows(CSVSeries(**{k: v for k, v in source.items() if k != 'type'}), look_back,
                         horizon, split, targets=['sales'], **more)


def said(function, *pieces):
    with pytest.raises(DataError) as caught:
        function()
    text = f'{caught.value.message}\n{caught.value.hint}'
    assert caught.value.hint
    assert [piece for piece in pieces if piece not in text] == []
    return text


@pytest.mark.parametrize('by_time', [False, True])
def test_series_of_different_lengths_are_read_whatever_the_order_of_their_rows(tmp_path, by_time):
    path = long_file(tmp_path / 'a.csv', [50, 30, 41], by_time)
    series = CSVSeries(path, id_column='store').read()
    assert series.ids == ['s0', 's1', 's2']
    assert np.diff(series.bounds).tolist() == [50, 30, 41]
    assert series.grid.name == '1 day'
    for place in range(3):
        rows = slice(*series.bounds[place:place + 2])
        assert series.values[rows, 0].tolist() == [1000 * place + row
                                                   for row in range([50, 30, 41][place])]
        assert series.times[rows][0] == np.datetime64('2024-01-01')


def test_which_column_names_the_series_and_which_holds_times_is_found_out(tmp_path):
    path = long_file(tmp_path / 'a.csv', [50, 30, 41], more=columns('region,size')(
        lambda place, row: f',{["north", "south"][place % 2]},{place + 0.5}'))
    series = CSVSeries(path, date_column='auto', id_column='auto').read()
    assert series.ids == ['s0', 's1', 's2']
    assert series.columns == ['sales']
    assert series.static['region'].tolist() == ['north', 'south', 'north']
    assert series.static['size'].tolist() == [0.5, 1.5, 2.5]
    assert any('`store` names 3 series' in note for note in series.notes)


@pytest.mark.parametrize('by_time', [False, True])
def test_two_columns_that_name_the_series_together_are_found_out(tmp_path, by_time):
    rows = [(DAY + timedelta(days=day), shop, kind, 100 * place + day)
            for place, (shop, kind) in enumerate((s, k) for s in 'AB' for k in ('tea', 'milk'))
            for day in range(40)]
    if by_time:
        rows.sort(key=lambda row: row[0])
    path = tmp_path / 'a.csv'
    path.write_text('date,shop,kind,sales\n' + ''.join(
        f'{",".join(map(str, row))}\n' for row in rows))
    series = CSVSeries(str(path), date_column='auto', id_column='auto', resample='mean').read()
    assert series.ids == ['A / tea', 'A / milk', 'B / tea', 'B / milk']
    assert series.id_columns == ['shop', 'kind']
    assert any('`shop` and `kind` name 4 series' in note for note in series.notes)
    for place in range(4):
        rows = slice(*series.bounds[place:place + 2])
        assert series.values[rows, 0].tolist() == [100 * place + day for day in range(40)]


def test_series_that_nothing_tells_apart_are_not_averaged(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('date,sales\n' + ''.join(
        f'{DAY + timedelta(days=day)},{day + 0.5 + 100 * place}\n'
        for day in range(40) for place in range(3)))
    source = CSVSeries(str(path), id_column='auto', resample='mean')
    said(source.read, '120 rows at 40 times', 'id_column')
    told = CSVSeries(str(path), resample='mean').read()
    assert told.values[:, 0].tolist() == [day + 100.5 for day in range(40)]


def test_a_few_rows_at_the_time_of_another_are_counted_and_named(tmp_path):
    path = tmp_path / 'a.csv'
    days = sorted([*range(40), 7, 9])
    path.write_text('date,sales\n' + ''.join(
        f'{DAY + timedelta(days=day)},{day + 0.5}\n' for day in days))
    series = CSVSeries(str(path), id_column='auto', resample='mean').read()
    assert any('2 of them have the very time of another, as `2024-01-08' in note
               for note in series.notes)


def test_rows_of_a_finer_step_are_not_brought_to_that_of_a_checkpoint(tmp_path):
    path = long_file(tmp_path / 'a.csv', [500, 400], step=timedelta(hours=1))
    source = CSVSeries(path, id_column='store', resample='mean')
    assert len(source.read_rows(TimeGrid.parse('1 day')).values) == 900
    asked = CSVSeries(path, id_column='store', resample='mean', step='1 day')
    assert len(asked.read_rows(TimeGrid.parse('1 day')).values) == 38


def test_one_series_is_none_of_many(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('when,y\n' + ''.join(f'{DAY + timedelta(days=row)},{row % 9}\n'
                                         for row in range(60)))
    series = CSVSeries(str(path), date_column='auto', id_column='auto').read()
    assert not series.ids
    assert series.values.shape == (60, 1)


def test_two_columns_may_name_a_series_together(tmp_path):
    path = long_file(tmp_path / 'a.csv', [30, 30], more=columns('item')(
        lambda place, row: f',{"ab"[row % 2]}'))
    text = Path(path).read_text().splitlines()
    series = CSVSeries(path, id_column=['store', 'item']).read()
    assert series.ids == ['s0 / a', 's0 / b', 's1 / a', 's1 / b']
    assert np.diff(series.bounds).tolist() == [15] * 4
    assert series.grid.name == '2 days'
    assert len(text) == 61


def test_a_gap_in_one_series_is_refused_with_its_name_or_masked_there_alone(tmp_path):
    path = long_file(tmp_path / 'a.csv', [40, 40])
    lines = Path(path).read_text().splitlines()
    del lines[1 + 40 + 20:1 + 40 + 23]
    Path(path).write_text('\n'.join(lines) + '\n')
    said(lambda: CSVSeries(path, id_column='store').read(), 'series `s1`', '3 rows', "gaps='mask'")
    series = CSVSeries(path, id_column='store', gaps='mask').read()
    assert np.diff(series.bounds).tolist() == [40, 40]
    assert (~series.observed[:, 0]).nonzero()[0].tolist() == [60, 61, 62]
    assert any('3 missing rows' in note and '`s1`' in note for note in series.notes)


def test_a_series_of_another_step_is_refused(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 30], step=timedelta(hours=1))
    lines = Path(path).read_text().splitlines()
    lines[61:] = [f'{DAY + timedelta(days=row)},s1,{row}' for row in range(30)]
    Path(path).write_text('\n'.join(lines) + '\n')
    said(lambda: CSVSeries(path, id_column='store', gaps='mask').read(), '`s1` has rows of 1 day',
         '`s0` has rows of 1 hour')


def test_a_time_twice_in_a_series_is_named_with_its_lines(tmp_path):
    path = long_file(tmp_path / 'a.csv', [40, 40])
    with open(path, 'a') as file:
        file.write(f'{DAY + timedelta(days=5)},s1,3\n')
    said(lambda: CSVSeries(path, id_column='store').read(), 'a.csv:82', 'second time',
         'series `s1`', 'line 47', 'id_column=[')


def test_no_window_lies_in_two_series_and_every_part_is_by_the_series_own_length(tmp_path):
    lengths = [50, 30, 41]
    path = long_file(tmp_path / 'a.csv', lengths)
    for split, begin, end in (('train', 0, 0.6), ('val', 0.6, 0.8), ('test', 0.8, 1)):
        part = windows(path, split, ratios=(0.6, 0.2, 0.2), scale=False)
        batch = part.__getitems__(list(range(len(part))))
        expected = []
        for place, length in enumerate(lengths):
            test = int(length * 0.2)
            first, stop = {'train': (0, int(length * 0.6)), 'val': (int(length * 0.6),
                           length - test), 'test': (length - test, length)}[split]
            expected += [(place, row) for row in range(length)
                         if row >= max(first, 7) and row + 3 <= stop]
        assert len(part) == len(expected), (begin, end)
        for index, (place, row) in enumerate(expected):
            value = 1000 * place + row
            assert batch['series'][index] == place
            assert batch['inputs'][index, :, 0].tolist() == list(range(value - 7, value))
            assert batch['targets'][index, :, 0].tolist() == list(range(value, value + 3))


def test_every_series_has_the_scale_of_its_own_training_rows(tmp_path):
    path = long_file(tmp_path / 'a.csv', [50, 80])
    part = windows(path, 'test', ratios=(0.7, 0.1, 0.2))
    for place, length in enumerate([50, 80]):
        train = 1000 * place + np.arange(int(length * 0.7))
        np.testing.assert_allclose(part.scaler.mean[place], train.mean())
        np.testing.assert_allclose(part.scaler.deviation[place], train.std())
    batch = part.__getitems__([len(part) - 1])
    train = 1000 + np.arange(56)
    np.testing.assert_allclose(batch['targets'][0, :, 0],
                               (1000 + np.arange(77, 80) - train.mean()) / train.std(), rtol=1e-6)


def test_a_series_that_stands_still_is_scaled_as_the_others_are(tmp_path):
    path = long_file(tmp_path / 'a.csv', [50, 50, 50])
    lines = [line if ',s2,' not in line else ','.join([*line.split(',')[:2], '7'])
             for line in Path(path).read_text().splitlines()]
    Path(path).write_text('\n'.join(lines) + '\n')
    part = windows(path)
    assert part.scaler.deviation[2] == part.scaler.deviation[0] == np.arange(35).std()
    assert any('never changes' in note and '`s2`' in note for note in part.notes)


def test_a_short_series_is_counted_and_left_out_only_when_that_is_asked(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 12, 60])
    said(lambda: windows(path), '1 of 3 series', '`s1`', 'look_back 7 + horizon 3', "short='drop'")
    part = windows(path, short='drop')
    assert part.ids == ['s0', 's2']
    assert any('1 of 3 series' in note and 'left out' in note for note in part.notes)
    assert set(part.__getitems__(list(range(len(part))))['series'].tolist()) == {0, 1}


def test_a_share_shorter_than_the_horizon_holds_the_horizon(tmp_path):
    path = long_file(tmp_path / 'a.csv', [30, 30])
    for split in ('val', 'test'):
        assert len(windows(path, split, horizon=5, ratios=(0.8, 0.1, 0.1))) == 2


def test_what_is_known_ahead_is_given_with_the_targets(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 60], more=columns('holiday')(
        lambda place, row: f',{int(row % 7 == 2)}'))
    part = windows(path, known=['holiday'], scale=False)
    batch = part.__getitems__(list(range(len(part))))
    assert part.columns == ['sales']
    assert batch['inputs'].shape[2] == 2
    rows = batch['targets'][:, :, 0].long() % 1000
    assert batch['known'][:, :, 0].tolist() == (rows % 7 == 2).float().tolist()
    assert part.metainfo['known_columns'] == ['holiday']


def test_rows_with_known_columns_alone_are_the_future_and_no_history(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 60], more=columns('holiday')(
        lambda place, row: f',{int(row % 7 == 2)}'))
    lines = Path(path).read_text().splitlines()
    for place in (0, 1):
        for row in range(57, 60):
            cells = lines[1 + 60 * place + row].split(',')
            lines[1 + 60 * place + row] = ','.join([*cells[:2], '', cells[3]])
    Path(path).write_text('\n'.join(lines) + '\n')
    said(lambda: windows(path), '6 cells', 'known=[...]')
    said(lambda: windows(path, source=dict(missing='mask')), 'series `s0`', 'last 3 rows')
    part = windows(path, 'test', known=['holiday'], scale=False)
    targets = part.__getitems__(list(range(len(part))))['targets']
    assert (targets % 1000).max() == 56

    series = CSVSeries(path, id_column='store').read_rows()
    ends = last_windows(series, part.metainfo)
    assert ends.inputs[:, :, 0].tolist() == [list(range(50, 57)), list(range(1050, 1057))]
    assert ends.known[:, :, 0].tolist() == [[float(row % 7 == 2) for row in range(57, 60)]] * 2
    assert ends.codes.tolist() == [0, 1]
    assert str(ends.times[0][0])[:10] == '2024-02-27'  # 57 days after the 1st of January


def test_what_is_missing_of_a_known_column_is_as_in_the_row_before_and_said(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 60], more=columns('price')(
        lambda place, row: f',{"" if row in (0, 20, 55) else row}'))
    part = windows(path, known=['price'], source=dict(missing='mask'), scale=False)
    assert '`price` is missing in 6 rows, and read there as in the row before' in part.notes
    batch = part.__getitems__([0, 13])
    assert batch['inputs'][0, :3, 1].tolist() == [0, 1, 2]  # nothing is before the first row: 0
    assert batch['known'][1, :, 0].tolist() == [19, 21, 22]
    path = long_file(tmp_path / 'b.csv', [60, 60], more=columns('price')(
        lambda place, row: f',{row if row > 55 else ""}'))
    said(lambda: windows(path, known=['price'], source=dict(missing='mask')), '`price`',
         'no value in the training rows')


def test_too_few_rows_to_come_are_refused(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60], more=columns('holiday')(
        lambda place, row: f',{int(row % 7 == 2)}'))
    info = windows(path, known=['holiday']).metainfo
    series = CSVSeries(path, id_column='store').read_rows()
    said(lambda: last_windows(series, info), '`holiday`', '3 rows to come', '--future')


def test_words_and_numbers_of_a_series_become_columns_known_ahead(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 60, 60], more=columns('region,size')(
        lambda place, row: f',{["north", "south"][place % 2]},{place}'))
    part = windows(path)
    names = part.metainfo['known_columns']
    assert names == ['region=north', 'region=south', 'size']
    batch = part.__getitems__([0, len(part) - 1])
    size = np.array([0, 1, 2])
    for index, place in enumerate((0, 2)):
        expected = [1.0, 0.0, (place - size.mean()) / size.std()]
        np.testing.assert_allclose(batch['known'][index], [expected] * 3, rtol=1e-6)
        np.testing.assert_allclose(batch['inputs'][index, :, 1:], [expected] * 7, rtol=1e-6)


def test_a_static_column_that_changes_is_refused(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 60], more=columns('size')(
        lambda place, row: f',{place + (row > 20)}'))
    said(lambda: windows(path, source=dict(static=['size'])), 'a.csv:23', '`size`', 'series `s0`')


def test_the_calendar_is_told_for_rows_to_come(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 60])
    part = windows(path, calendar=['weekday'], holidays='DE')
    batch = part.__getitems__([0])
    # Series 0 begins on Monday, the 1st of January 2024: its 8th row is a Monday too.
    assert batch['known'][0].argmax(1).tolist() == [0, 1, 2]
    first = windows(path, look_back=1, calendar=['weekday'], holidays='DE')
    assert first.__getitems__([0])['inputs'][0, 0, -1] == 1  # New Year's Day
    ends = last_windows(CSVSeries(path, id_column='store').read(), part.metainfo)
    assert ends.known[0].argmax(1).tolist() == [4, 5, 6]  # from Friday, the 1st of March, on


def test_rows_at_uneven_times_are_brought_to_one_step(tmp_path):
    path = tmp_path / 'a.csv'
    rng = np.random.default_rng(0)
    whens = [DAY + timedelta(minutes=30 * row + int(rng.integers(-6, 7))) for row in range(200)]
    path.write_text('at,y\n' + ''.join(f'{when},{row}\n' for row, when in enumerate(whens)))
    said(lambda: CSVSeries(str(path), 'at').read(), 'irregular', "resample='mean'")
    series = CSVSeries(str(path), 'at', resample='mean').read()
    assert series.grid.name == '30 minutes'
    assert series.values[:, 0].tolist() == list(range(200))
    hourly = CSVSeries(str(path), 'at', resample='sum', step='1 hour', gaps='mask').read()
    per_hour: dict = {}
    for row, when in enumerate(whens):
        key = when.replace(minute=0)
        per_hour[key] = per_hour.get(key, 0) + row
    assert hourly.values[:, 0].tolist() == [per_hour[key] for key in sorted(per_hour)]


def test_a_panel_of_one_has_the_windows_of_the_series_alone(tmp_path):
    path = long_file(tmp_path / 'a.csv', [90])
    one = SeriesWindows(CSVSeries(path, columns=['sales']), 7, 3, 'train')
    panel = windows(path)
    batches = [each.__getitems__(list(range(len(each)))) for each in (one, panel)]
    for name in ('inputs', 'targets', 'index'):
        assert batches[0][name].equal(batches[1][name])


def test_a_step_that_changes_within_a_series_is_refused(tmp_path):
    path = tmp_path / 'a.csv'
    steady = [DAY + timedelta(hours=row) for row in range(300)]
    changed = steady[:100] + [steady[99] + timedelta(hours=3 * row) for row in range(1, 60)]
    path.write_text('date,store,sales\n' + ''.join(
        f'{when},{name},{row % 7}\n' for name, whens in (('s0', steady), ('s1', changed))
        for row, when in enumerate(whens)))
    text = said(lambda: CSVSeries(str(path), id_column='store', gaps='mask').read(), 'series `s1`',
                '1 hour apart', '3 hours from there on')
    assert 'rows=(' not in text  # those of the file are of other series too


def test_a_copy_of_a_test_window_is_named_by_its_series_and_times(tmp_path):
    path = long_file(tmp_path / 'a.csv', [50, 50])
    lines = Path(path).read_text().splitlines()
    for row in range(10):  # the first test window of s1, from row 33 on, is its rows from 20 on
        when = lines[1 + 50 + 33 + row].split(',')[0]
        lines[1 + 50 + 33 + row] = f'{when},s1,{1020 + row}'
    Path(path).write_text('\n'.join(lines) + '\n')
    part = windows(path, 'test', ratios=(0.6, 0.2, 0.2))
    assert part.copies_in_words() == (
        '1 of 16 test windows occur in the training part too: the one at s1 2024-02-03 00:00:00 '
        'is also at s1 2024-01-21 00:00:00')
    assert windows(long_file(tmp_path / 'b.csv', [50]), 'test').copies_in_words() is None


def test_a_word_that_is_the_same_in_all_rows_is_left_out(tmp_path):
    path = long_file(tmp_path / 'a.csv', [60, 60], more=columns('currency')(
        lambda place, row: ',EUR'))
    series = CSVSeries(path, id_column='auto').read()
    assert (series.ids, series.columns, series.static) == (['s0', 's1'], ['sales'], {})
    assert '`currency` is `EUR` in all rows, and is left out' in series.notes
    alone = CSVSeries(long_file(tmp_path / 'b.csv', [60]), id_column='auto').read()
    assert (alone.ids, alone.columns) == ([], ['sales'])


@pytest.mark.parametrize('by_time', [False, True])
def test_a_row_without_the_name_of_its_series_is_named(tmp_path, by_time):
    path = long_file(tmp_path / 'a.csv', [60, 60], by_time)
    lines = Path(path).read_text().splitlines()
    lines[17] = lines[17].replace('s0', '').replace('s1', '')
    Path(path).write_text('\n'.join(lines) + '\n')
    said(lambda: CSVSeries(path, id_column='auto').read(), 'a.csv:18', '`store` is empty')
