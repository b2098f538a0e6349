"""Series read from files, and what is said about files that are wrong."""

from datetime import datetime

import numpy as np
import pytest

from amlnn.data.series.array_series import ArraySeries
from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.series import Series, guess_season
from amlnn.errors import DataError

GOOD = 'date,a,b\n2016-07-01 00:00:00,1,2.5\n2016-07-01 01:00:00,-3,4e1\n'


@pytest.fixture
def write(tmp_path):
    def write_file(text, name='x.csv'):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return write_file


def refused(source, *pieces):
    """The error of reading; it has a hint, and names all the pieces."""
    with pytest.raises(DataError) as caught:
        source.read()
    assert caught.value.hint
    for piece in pieces:
        assert piece in caught.value.message + '\n' + caught.value.hint
    return caught.value


def test_a_file_is_read_column_by_column(write):
    series = CSVSeries(write(GOOD)).read()
    assert series.columns == ['a', 'b']
    assert series.values.tolist() == [[1, 2.5], [-3, 40]]
    assert series.values.dtype == np.float64
    assert series.observed.all()
    assert series.times.dtype == 'datetime64[s]'
    assert series.times.tolist() == [datetime(2016, 7, 1, 0), datetime(2016, 7, 1, 1)]
    assert (series.step_seconds, series.truth) == (3600.0, None)


def test_columns_are_chosen_and_ordered_and_others_not_looked_at(write):
    path = write('t,a,b,c\n2020-01-01,1,x,3\n2020-01-02,4,y,6\n')
    series = CSVSeries(path, date_column='t', columns=['c', 'a']).read()
    assert series.columns == ['c', 'a']
    assert series.values.tolist() == [[3, 1], [6, 4]]


def test_rows_limit_what_is_read_and_checked(write):
    path = write('a\nx\n1\n\n2\n3\ny\n')
    series = CSVSeries(path, date_column=None, rows=(1, 4)).read()
    assert series.values.ravel().tolist() == [1, 2, 3]
    assert series.times is None and series.step_seconds is None
    refused(CSVSeries(path, date_column=None, rows=(1, 5)), ':7`', '`y`')
    refused(CSVSeries(path, date_column=None, rows=(1, 6)), '5 rows')


@pytest.mark.parametrize(('text', 'expected'), [
    ('2016-07-01', '2016-07-01T00:00:00'),
    ('2016-07-01 13:05', '2016-07-01T13:05:00'),
    ('2016-07-01T13:05:07', '2016-07-01T13:05:07'),
    ('2016/07/01 13:05', '2016-07-01T13:05:00'),
    ('20160701', '2016-07-01T00:00:00'),
    ('2016-07', '2016-07-01T00:00:00'),
    ('2016', '2016-01-01T00:00:00'),
    ('2016-07-01T13:05:07Z', '2016-07-01T13:05:07'),
    ('2016-07-01T13:05:07+02:00', '2016-07-01T11:05:07'),
    ('1890-01-01', '1890-01-01T00:00:00'),
])
def test_iso_times_are_read(write, text, expected):
    assert CSVSeries(write(f'date,a\n{text},1\n')).read().times[0] == np.datetime64(expected)


def test_other_times_are_read_by_their_format(write):
    path = write('when;a\n31.12.2019 23:00;1\n01.01.2020 00:00;2\n')
    series = CSVSeries(path, date_column='when', date_format='%d.%m.%Y %H:%M',
                       delimiter=';').read()
    assert series.times.tolist() == [datetime(2019, 12, 31, 23), datetime(2020, 1, 1)]
    other = CSVSeries(path, date_column='when', date_format='%Y/%m/%d')
    refused(other, ':2`', '31.12.2019', 'date_format')


def test_quotes_spaces_a_byte_order_mark_and_windows_line_ends_do_no_harm(write):
    path = write(b'\xef\xbb\xbf"date", a \r\n"2020-01-01"," 1.5 "\r\n\r\n2020-01-02,2\r\n')
    series = CSVSeries(path).read()
    assert series.columns == ['a']
    assert series.values.ravel().tolist() == [1.5, 2]


def test_text_in_a_number_column_is_named_by_line_and_column(write):
    text = GOOD + '2016-07-01 02:00:00,5,broken\n'
    refused(CSVSeries(write(text)), 'x.csv:4`', '`b`', '`broken`', 'columns=')


def test_a_text_column_is_refused_where_all_columns_are_taken(write):
    refused(CSVSeries(write('date,a,city\n2020,1,Rome\n')), ':2`', '`city`', '`Rome`')


def test_the_line_is_that_of_the_file_also_after_empty_lines_and_breaks_in_cells(write):
    path = write('a,b\n1,"two\nlines"\n\n\noops,3\n')
    refused(CSVSeries(path, date_column=None, columns=['a']), 'x.csv:6`', '`oops`')


@pytest.mark.parametrize('cell', ['', ' ', 'NaN', 'nan', 'NA', 'null', 'None'])
def test_a_missing_value_is_an_error_or_masked(write, cell):
    path = write(f'date,a,b\n2020-01-01,1,2\n2020-01-02,3,{cell}\n2020-01-03,{cell},{cell}\n')
    refused(CSVSeries(path), ':4`', '`a`', "missing='mask'")
    series = CSVSeries(path, missing='mask').read()
    assert series.observed.tolist() == [[True, True], [True, False], [False, False]]
    assert np.isnan(series.values[~series.observed]).all()
    assert series.values[series.observed].tolist() == [1, 2, 3]


def test_the_first_of_several_missing_cells_is_named_with_their_number(write):
    refused(CSVSeries(write('date,a\n2020,1\n2021,\n2022,\n')), ':3`', 'first of 2')


@pytest.mark.parametrize('cell', ['inf', '-inf', '1e400'])
def test_an_infinite_value_is_an_error_also_with_a_mask(write, cell):
    for missing in ('error', 'mask'):
        refused(CSVSeries(write(f'date,a\n2020,1\n2021,{cell}\n'), missing=missing), ':3`', '`a`',
                f'`{cell}`')


def test_unsorted_times_name_the_line(write):
    path = write('date,a\n2020-01-01,1\n2020-01-03,2\n2020-01-02,3\n')
    refused(CSVSeries(path), ':4`', '`2020-01-02`', '`2020-01-03`', 'sort')


@pytest.mark.parametrize(('rows', 'line', 'first'), [
    (['2020-01-01', '2020-01-02', '2020-01-02'], 4, 3),
    (['2020-01-01', '2020-01-02', '2020-01-01'], 4, 2)])
def test_duplicated_times_name_both_lines(write, rows, line, first):
    path = write('date,a\n' + ''.join(f'{row},1\n' for row in rows))
    refused(CSVSeries(path), f':{line}`', f'line {first}', 'second time')


@pytest.mark.parametrize(('text', 'pieces'), [
    ('', ['empty']),
    ('date,a\n', ['0 rows']),
    ('date\n2020\n', ['no column of numbers']),
    ('time,a\n2020,1\n', ['`date`', '`time`', 'date_column']),
    ('dat,a\n2020,1\n', ['did you mean `dat`']),
    ('date a\n2020 1\n', ['delimiter']),
    ('date,a,a\n2020,1,2\n', [':1`', 'two columns', '`a`']),
    ('date,a\n2020,1\n2021\n', [':3`', '1 cells', '2']),
    ('date,a\n2020,1\n2021,1,2\n', [':3`', '3 cells', '2']),
    ('date,a\n2020,1\nyesterday,2\n', [':3`', '`yesterday`', 'date_format']),
    ('date,a\n2020,1\n,2\n', [':3`', 'not a time']),
    ('date,a\n2020-01-01 00:00:00.5,1\n', [':2`', 'fraction']),
    (b'date,\x81\xff\n2020,1\n', ['UTF-8', 'encoding=']),
    ('date,a\n2020,"1\n', ['x.csv', ':']),
])
def test_a_file_that_is_wrong_is_refused(write, text, pieces):
    refused(CSVSeries(write(text)), *pieces)


def test_an_absent_file_a_folder_and_an_unknown_column_are_refused(write, tmp_path):
    refused(CSVSeries(tmp_path / 'absent.csv'), 'absent.csv')
    refused(CSVSeries(tmp_path), str(tmp_path))
    refused(CSVSeries(write(GOOD), columns=['A']), '`A`', 'did you mean `a`')


@pytest.mark.parametrize('arguments', [
    {'missing': 'drop'}, {'columns': 'a'}, {'rows': (5, 5)}, {'rows': (-1, 5)}, {'rows': (1,)}])
def test_arguments_that_mean_nothing_are_refused(arguments):
    with pytest.raises(DataError) as caught:
        CSVSeries('x.csv', **arguments)
    assert caught.value.hint


@pytest.mark.parametrize('shape', [(5,), (5, 1), (5, 3)])
def test_arrays_are_read_as_columns(tmp_path, shape):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.save(tmp_path / 'x.npy', values)
    series = ArraySeries(tmp_path / 'x.npy').read()
    assert np.array_equal(series.values, values.reshape(5, -1))
    assert series.columns == [f'column_{place}' for place in range(series.values.shape[1])]
    assert series.times is None


def test_an_archive_holds_values_and_times(tmp_path):
    times = np.arange('2020-01', '2020-04', dtype='datetime64[M]')
    np.savez(tmp_path / 'x.npz', values=np.ones((3, 2)), times=times)
    series = ArraySeries(tmp_path / 'x.npz', columns=['a', 'b']).read()
    assert series.columns == ['a', 'b']
    assert series.times[1] == np.datetime64('2020-02-01T00:00:00')
    np.savez(tmp_path / 'y.npz', anything=np.ones(3))
    assert ArraySeries(tmp_path / 'y.npz').read().values.shape == (3, 1)


def test_a_nan_in_an_array_is_an_error_or_masked(tmp_path):
    values = np.ones((4, 2))
    values[2, 1] = np.nan
    np.save(tmp_path / 'x.npy', values)
    refused(ArraySeries(tmp_path / 'x.npy'), 'row 2', '`column_1`', "missing='mask'")
    series = ArraySeries(tmp_path / 'x.npy', missing='mask').read()
    assert np.argwhere(~series.observed).tolist() == [[2, 1]]
    values[0, 0] = np.inf
    np.save(tmp_path / 'x.npy', values)
    refused(ArraySeries(tmp_path / 'x.npy', missing='mask'), 'row 0', '`column_0`', 'inf')


@pytest.mark.parametrize(('values', 'pieces'), [
    (np.array(['a']), ['<U1']), (np.zeros((2, 2, 2)), ['[2, 2, 2]']), (np.zeros(0), ['[0]']),
    (np.array([1 + 2j]), ['complex'])])
def test_an_array_that_is_no_series_is_refused(tmp_path, values, pieces):
    np.save(tmp_path / 'x.npy', values)
    refused(ArraySeries(tmp_path / 'x.npy'), 'x.npy', *pieces)


def test_a_numpy_file_that_is_damaged_absent_or_pickled_is_refused(tmp_path):
    refused(ArraySeries(tmp_path / 'x.npy'), 'no file')
    (tmp_path / 'x.npy').write_bytes(b'PK\x03\x04 no archive')
    refused(ArraySeries(tmp_path / 'x.npy'), 'x.npy')
    np.save(tmp_path / 'x.npy', np.array([{}]), allow_pickle=True)
    refused(ArraySeries(tmp_path / 'x.npy'), 'x.npy')
    np.savez(tmp_path / 'x.npz', a=np.ones(3), b=np.ones(3))
    refused(ArraySeries(tmp_path / 'x.npz'), 'a, b', 'values=')
    times = np.array(['2020-01-02', '2020-01-01', 'NaT'], dtype='datetime64[s]')
    np.savez(tmp_path / 'x.npz', values=np.ones(3), times=times)
    refused(ArraySeries(tmp_path / 'x.npz'), 'row 1', '2020-01-01')
    np.savez(tmp_path / 'x.npz', values=np.ones(3), times=times[1:])
    refused(ArraySeries(tmp_path / 'x.npz'), 'times')
    np.save(tmp_path / 'x.npy', np.ones((3, 2)))
    refused(ArraySeries(tmp_path / 'x.npy', columns=['a']), '2 columns')


def test_a_series_refuses_parts_that_do_not_fit():
    values = np.ones((4, 2))
    fitting = dict(values=values, observed=values > 0, columns=['a', 'b'])
    Series(**fitting)
    for change in (dict(observed=values[:3] > 0), dict(columns=['a']), dict(columns=['a', 'a']),
                   dict(times=np.arange(3).astype('datetime64[s]')), dict(truth=values[:, :1]),
                   dict(values=np.full((4, 2), np.nan)), dict(values=np.ones(4))):
        with pytest.raises(DataError) as caught:
            Series(**fitting | change)
        assert caught.value.hint


@pytest.mark.parametrize(('step', 'season'), [
    (3600, 24), (900, 96), (1800, 48), (600, 144), (300, 288), (60, 1440), (86400, 7),
    (7 * 86400, 52), (28 * 86400, 12), (30.5 * 86400, 12), (91 * 86400, 4), (365 * 86400, None),
    (7.5, None), (None, None)])
def test_a_season_is_guessed_from_the_step(step, season):
    assert guess_season(step) == season
