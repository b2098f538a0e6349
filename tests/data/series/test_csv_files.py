"""Files as spreadsheets and programs write them: dialects, gaps, and columns nobody meant."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError

HOUR = timedelta(hours=1)


@pytest.fixture
def write(tmp_path):
    def write_file(text, encoding='utf-8'):
        path = tmp_path / 'x.csv'
        path.write_bytes(text.encode(encoding))
        return path
    return write_file


def refused(source, *pieces):
    """Reading is refused, in words that have all the pieces."""
    with pytest.raises(DataError) as caught:
        source.read() if hasattr(source, 'read') else source()
    assert caught.value.hint
    said = caught.value.message + '\n' + caught.value.hint
    assert [piece for piece in pieces if piece not in said] == []
    return said


def hours(count, start=datetime(2024, 1, 1), step=HOUR):
    return [start + place * step for place in range(count)]


def table(times, **columns):
    columns = columns or {'y': [f'{np.sin(place):.4f}' for place in range(len(times))]}
    rows = zip(times, *columns.values(), strict=True)
    return '\n'.join([','.join(['date', *columns]), *(','.join(map(str, row)) for row in rows)])


@pytest.mark.parametrize(('delimiter', 'word'), [(';', '`;`'), ('\t', 'tab'), ('|', '`|`')])
def test_what_stands_between_cells_is_found_and_said(write, delimiter, word):
    path = write(f'date{delimiter}a{delimiter}b\n2020-01-01{delimiter}1{delimiter}2,5\n')
    for source in (CSVSeries(path), CSVSeries(path, delimiter=delimiter)):
        assert source.read().values.tolist() == [[1, 2.5]]
    assert word in CSVSeries(path).read().notes[0]


def test_commas_in_quotes_are_thousands_where_a_cell_says_so(write):
    path = write('date,a\n2020-01-01,"1,234.5"\n2020-01-02,"2,345"\n')
    assert CSVSeries(path).read().values.ravel().tolist() == [1234.5, 2345]
    refused(CSVSeries(write('date,a\n2020-01-01,"1,234"\n')), ':2`', "thousands=','", "decimal=','")
    series = CSVSeries(write('date,a\n2020-01-01,"1,234"\n'), thousands=',').read()
    assert series.values.tolist() == [[1234]]


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be',
                                      'latin-1', 'cp1252'])
def test_an_encoding_is_found_or_given(write, encoding):
    path = write('date,Température\n2020-01-01,1\n2020-01-02,2\n', encoding)
    found = CSVSeries(path).read()
    assert found.columns == ['Température']
    assert any('cp1252' in note for note in found.notes) == (encoding in ('latin-1', 'cp1252'))
    assert CSVSeries(path, encoding=encoding).read().columns == ['Température']


def test_lines_around_the_table_and_empty_ones_are_no_rows(write):
    text = 'date,a,\n2020-01-01,1,\n2020-01-02,2,\n,,\n,,\n'
    assert CSVSeries(write(text)).read().values.ravel().tolist() == [1, 2]
    above = write('Report of 2020\n\n' + text)
    refused(CSVSeries(above), 'no column `date`', 'line 3', 'skip_lines=2')
    series = CSVSeries(above, skip_lines=2).read()
    assert series.values.ravel().tolist() == [1, 2] and series.lines.tolist() == [4, 5]
    rows = CSVSeries(write('a,b\n1,2\n,\n3,4\n,\n'), date_column=None, missing='mask').read()
    assert rows.observed[:, 0].tolist() == [True, False, True]  # without times a row is a step


@pytest.mark.parametrize('text', ['2020-01-01,1.5\n2020-01-02,2\n', '2020-01-01 00:00,7,8\n'])
def test_a_file_without_a_line_of_names_is_refused(write, text):
    refused(CSVSeries(write(text)), ':1`', '`2020-01-01', 'line of names')
    refused(CSVSeries(write('1.5,2\n3,4\n'), date_column=None), ':1`', '`1.5`')
    assert CSVSeries(write('0,1\n3,4\n'), date_column=None).read().columns == ['0', '1']


@pytest.mark.parametrize(('cell', 'pieces'), [
    ('5 %', ['`%`']), ('12 kWh', ['`kWh`']), ('€3', ['`€`']), ('1_5', ['not a number']),
    ('x', ['not a number', "columns=['b']"])])
def test_a_cell_with_a_unit_is_named_by_line_and_unit(write, cell, pieces):
    refused(CSVSeries(write(f'date,a,b\n2020-01-01,1,2\n2020-01-02,{cell},3\n')),
            ':3`', '`a`', f'`{cell}`', *pieces)


@pytest.mark.parametrize(('header', 'wanted'), [
    ('ts,y', "date_column='ts'"), ('Date,y', "date_column='Date'"),
    (',y', "date_column='Unnamed: 0'")])
def test_a_column_of_times_under_another_name_is_named(write, header, wanted):
    path = write(f'{header}\n2020-01-01,1\n2020-01-02,2\n')
    refused(CSVSeries(path), 'no column `date`', wanted)
    name = header.split(',')[0] or 'Unnamed: 0'
    assert CSVSeries(path, date_column=name).read().columns == ['y']


def test_a_second_column_of_times_is_left_out_and_said(write):
    path = write(table(hours(20), day=[each.date() for each in hours(20)], y=range(3, 43, 2)))
    series = CSVSeries(path).read()
    assert series.columns == ['y'] and any('`day`' in note for note in series.notes)
    path.write_text(path.read_text().replace('date,day', 'stamp,date'))
    refused(CSVSeries(path), "date_column='stamp'", 'second time')


def test_rows_that_are_missing_are_counted_and_the_first_is_named(write):
    times = np.delete(hours(100), [40, 41, 42, 60]).tolist()
    said = refused(CSVSeries(write(table(times))), ':42`', '3 rows of 1 hour',
                   '2024-01-02 19:00:00', '2 gaps', '4 rows in all', "gaps='mask'")
    assert 'timezone' not in said
    series = CSVSeries(write(table(times)), gaps='mask').read()
    assert len(series.values) == 100 and np.flatnonzero(~series.observed).tolist() == [40, 41, 42,
                                                                                      60]
    assert series.times.tolist() == hours(100)
    assert series.lines[[39, 40, 43]].tolist() == [41, 0, 42]
    assert any('4 missing rows' in note for note in series.notes)


@pytest.mark.parametrize(('name', 'times'), [
    ('business days', [datetime(2024, 1, 1) + timedelta(days=day) for day in range(100)
                       if day % 7 < 5 and day != 9]),
    ('month start', [datetime(2020 + month // 12, month % 12 + 1, 1) for month in range(40)
                     if month != 9]),
    ('1 week', [datetime(2024, 1, 1) + timedelta(days=7 * week) for week in range(40)
                if week != 9])])
def test_a_gap_in_calendar_steps_is_a_gap(write, name, times):
    refused(CSVSeries(write(table(times))), f'a row of {name} is missing', str(times[9 - 2 * (
        name == 'business days')]))
    masked = CSVSeries(write(table(times)), gaps='mask').read()
    assert len(masked.values) == len(times) + 1


def test_an_hour_that_clocks_skip_or_repeat_leads_to_the_time_zone(write):
    spring = [each for each in hours(48, datetime(2024, 3, 30)) if (each.day, each.hour) != (31, 2)]
    path = write(table(spring))
    refused(CSVSeries(path), 'a row of 1 hour', "timezone='Europe/Berlin'")
    series = CSVSeries(path, timezone='Europe/Berlin').read()
    assert len(series.values) == 47 and series.grid.name == '1 hour'
    autumn = hours(27, datetime(2024, 10, 26)) + hours(22, datetime(2024, 10, 27, 2))
    path = write(table(autumn))
    refused(CSVSeries(path), 'second time', "timezone='Europe/Berlin'")
    series = CSVSeries(path, timezone='Europe/Berlin').read()
    assert series.clock.written(series.times)[26:28] == [
        '2024-10-27 02:00:00+02:00', '2024-10-27 02:00:00+01:00']


def test_a_row_beside_the_grid_and_rows_without_one_are_refused(write):
    times = hours(50)
    times[20] += timedelta(minutes=7)
    refused(CSVSeries(write(table(times))), ':22`', '1.12 hours after', '1 of 50 rows')
    random = np.random.default_rng(0).integers(600, 6000, 60).cumsum()
    times = [datetime(2024, 1, 1) + timedelta(seconds=int(each)) for each in random]
    refused(CSVSeries(write(table(times))), 'irregular', 'one step', 'date_column=None')


def test_a_step_that_changes_in_the_middle_is_named_with_both(write):
    times = hours(60) + hours(40, datetime(2024, 1, 3, 12), timedelta(minutes=15))
    for gaps in ('error', 'mask'):
        refused(CSVSeries(write(table(times)), gaps=gaps), '1 hour apart', '15 minutes', ':62`',
                'rows=(0, 61)')
    times = hours(60) + hours(40, datetime(2024, 1, 3, 13), 2 * HOUR)
    refused(CSVSeries(write(table(times)), gaps='mask'), '1 hour apart', '2 hours')


def test_a_date_that_is_far_off_is_no_gap_to_fill(write):
    times = [*hours(50), datetime(2204, 1, 1)]
    refused(CSVSeries(write(table(times)), gaps='mask'), 'rows of 1 hour are missing', 'date wrong')


def test_a_given_step_counts_and_must_hold(write):
    times = [datetime(2024, 1, day) for day in (1, 2, 3, 4, 5)]
    assert CSVSeries(write(table(times)), step='business days').read().grid.name == 'business days'
    refused(CSVSeries(write(table(times)), step='1 hour'), '23 rows of 1 hour', 'missing')
    refused(CSVSeries(write(table(hours(50))), step='1 day'), ':3`', "step='1 day'")


@pytest.mark.parametrize('names', [['k1', 'k2', 'k3'], ['363069', '645127', '700001']])
@pytest.mark.parametrize('apart', [0, 500, 1])
def test_series_one_below_the_other_are_refused_with_their_column(write, names, apart):
    """They have the same times, times with years between them, or follow each other row by row."""
    starts = [datetime(2016, 1, 1) + timedelta(days=place * apart) for place in range(3)]
    lines = [(f'{name},{start + timedelta(days=day)},{day % 7 + 0.5}')
             for name, start in zip(names, starts, strict=True) for day in range(60)]
    if apart == 1:  # sorted by time
        lines.sort(key=lambda line: line.split(',')[1])
    path = write('\n'.join(['unique_id,date,y', *lines]))
    for gaps in ('error', 'mask'):
        said = refused(CSVSeries(path, gaps=gaps), '`unique_id` names 3 series', names[0],
                       "id_column='unique_id'")
        assert 'date_column=None' not in said
    if apart != 1:
        assert len(CSVSeries(path, rows=(0, 60), columns=['y']).read().values) == 60


@pytest.mark.parametrize(('name', 'form'), [('hour', '{:d}'), ('HourUTC', '{:02d}:00'),
                                            ('at', '{:02d}:00')])
def test_an_hour_in_a_column_of_its_own_is_part_of_the_time(write, name, form):
    days = hours(240)
    path = write(table([day.date() for day in days], **{
        name: [form.format(day.hour) for day in days], 'y': range(3, 723, 3)}))
    refused(CSVSeries(path), f'`{name}`', 'one column', '2024-03-31 13:00')


def test_a_decimal_comma_between_commas_is_guessed(write):
    refused(CSVSeries(write('date,a\n2020-01-01,1,5\n')), ':2`', '3 cells', 'comma', 'quotes')


def test_a_repeated_time_in_one_series_is_no_sign_of_several(write):
    times = hours(60)
    times[30] = times[29]
    said = refused(CSVSeries(write(table(times, count=[place * 7 % 11 for place in range(60)]))),
                   'second time', ':32`')
    assert 'names' not in said


CALENDAR = {
    'hour': [each.hour for each in hours(200)], 'weekday': [each.weekday() for each in hours(200)],
    'isoweekday': [each.isoweekday() for each in hours(200)],
    'dayofyear': [each.timetuple().tm_yday for each in hours(200)],
    'epoch': [1704067200 + 3600 * place for place in range(200)],
    'nr': list(range(200)), 'row': list(range(1, 201)), 'counter': list(range(977, 1177)),
    'sensor_id': [17 + place % 3 for place in range(200)], 'stationId': [4] * 200,
}


@pytest.mark.parametrize('name', CALENDAR)
def test_a_column_that_nobody_means_is_left_out_said_and_taken_where_it_is_named(write, name):
    path = write(table(hours(200), **{name: CALENDAR[name],
                                      'y': [f'{np.sin(place):.4f}' for place in range(200)]}))
    source = CSVSeries(path)
    windows = SeriesWindows(source, 24, 6, 'train')
    assert windows.columns == ['y'] and any(f'`{name}`' in note for note in windows.notes)
    both = SeriesWindows(source, 24, 6, 'train', targets=['y', name], scale=False)
    assert both.columns == ['y', name]
    np.testing.assert_allclose(both.part_rows('train')[0][:9, 1], CALENDAR[name][:9], rtol=1e-6)
    assert SeriesWindows(source, 24, 6, 'train', extra=[name], scale=False).extra_columns == [name]
    assert CSVSeries(path, columns=[name, 'y']).read().columns == [name, 'y']


def test_a_column_without_a_name_is_left_out_only_by_name(write):
    values = [f'{np.sin(place):.4f}' for place in range(200)]
    path = write(table(hours(200), y=values).replace('date,y', ',date,y').replace(
        '\n2024', '\n5,2024'))
    said = refused(lambda: SeriesWindows(CSVSeries(path), 24, 6, 'train'), '`Unnamed: 0`',
                   "targets=['y']")
    assert 'index=False' in said
    assert SeriesWindows(CSVSeries(path), 24, 6, 'train', targets=['y']).columns == ['y']
    assert SeriesWindows(CSVSeries(path, columns=['y']), 24, 6, 'train').columns == ['y']


def test_a_lone_column_is_what_is_meant_and_few_rows_count_by_chance(write):
    assert CSVSeries(write(table(hours(50), y=range(50)))).read().columns == ['y']
    path = write(table(hours(5), a=range(5), b=[3, 1, 4, 1, 5]))
    assert CSVSeries(path).read().columns == ['a', 'b']


@pytest.mark.parametrize('options', [
    dict(decimal=';'), dict(decimal='.', thousands='.'), dict(delimiter=';;'), dict(gaps='drop'),
    dict(step='fortnight'), dict(timezone='Mars'), dict(skip_lines=-1),
    dict(step='1 hour', date_column=None)])
def test_arguments_that_mean_nothing_are_refused(options):
    with pytest.raises(DataError) as caught:
        CSVSeries('x.csv', **options)
    assert caught.value.hint


@pytest.mark.parametrize('encoding', ['utf-99', 'zip', 'rot13', ''])
def test_an_unknown_encoding_is_refused(write, encoding):
    refused(CSVSeries(write('date,a\n2020,1\n'), encoding=encoding), repr(encoding), 'utf-16')


def test_the_future_has_no_target_and_is_refused(write):
    y = [f'{np.sin(place):.4f}' for place in range(200)] + [''] * 24
    path = write(table(hours(224), y=y, temp=[place % 7 + 0.5 for place in range(224)]))
    source = CSVSeries(path, missing='mask')
    refused(lambda: SeriesWindows(source, 24, 6, 'train', targets=['y'], extra=['temp']),
            ':202`', 'last 24 rows', '2024-01-09 08:00:00', 'rows=(0, 200)')
    refused(CSVSeries(path), ':202`', 'still to come', 'rows=(0, 200)')
    known = CSVSeries(path, missing='mask', rows=(0, 200))
    assert SeriesWindows(known, 24, 6, 'train', targets=['y'], extra=['temp']).borders[2] == 200
    both = SeriesWindows(source, 24, 6, 'train')
    assert both.columns == ['y', 'temp']  # one of them is known
    assert ':202`: `y` has no value from here on, and `temp` has' in both.notes[-1]
    assert not any('from here on' in note for note in SeriesWindows(
        source, 24, 6, 'train', targets=['y', 'temp']).notes)


def test_windows_say_the_step_and_name_rows_with_their_offset(write):
    cells = [f'{each.isoformat()}+05:30' for each in hours(200)]
    windows = SeriesWindows(CSVSeries(write(table(cells))), 24, 6, 'train')
    assert '200 rows from 2024-01-01T00:00:00+05:30 to ' in windows.notes[0]
    assert windows.notes[0].endswith('step: 1 hour') and windows.metainfo['step'] == '1 hour'
    assert windows.time_names(np.array([1])) == ['2024-01-01T01:00:00+05:30']
    plain = SeriesWindows(CSVSeries(write(table(hours(200)))), 24, 6, 'train')
    assert plain.time_names(np.array([1])) == ['2024-01-01T01:00:00']


def test_the_season_of_business_days_is_five_rows(write):
    days = [datetime(2024, 1, 1) + timedelta(days=day) for day in range(140) if day % 7 < 5]
    windows = SeriesWindows(CSVSeries(write(table(days))), 10, 5, 'train')
    assert windows.season == 5 and windows.metainfo['step'] == 'business days'
