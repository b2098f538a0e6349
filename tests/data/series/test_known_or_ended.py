"""Columns that go on where others have ended: known ahead, asked for, or told."""

from datetime import date, timedelta

import numpy as np
import pytest

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.ends import last_windows
from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError


def write(path, ends, price=lambda row: row % 9 == 0, shops=2, rows=120):
    """Days of shops: `sales` for `rows`, then `ends` more in which `price` alone is filled."""
    lines = ['date,shop,sales,price']
    for shop in range(shops):
        for row in range(rows + ends):
            sales = f'{10 * shop + np.sin(row):.3f}' if row < rows else ''
            lines.append(f'{date(2024, 1, 1) + timedelta(days=row)},s{shop},{sales},'
                         f'{float(price(row)):g}')
    path.write_text('\n'.join(lines) + '\n')
    return path


def windows(path, known='auto', **more):
    source = dict(type='CSVSeries', path=str(path), date_column='date', id_column='shop',
                  missing='mask')
    return SeriesWindows(source, 14, 7, 'train', known=known, **more)


def test_flags_that_go_on_behind_the_end_are_known_ahead(tmp_path):
    path = write(tmp_path / 'a.csv', 10)
    found, named = windows(path), windows(path, known=['price'])
    assert found.columns == ['sales'] and found.metainfo['known_columns'] == ['price']
    assert found.metainfo == named.metainfo
    assert any('10 rows are the future, of which price alone' in note for note in found.notes)


def test_a_file_that_ends_with_all_its_columns_has_nothing_known(tmp_path):
    found = windows(write(tmp_path / 'a.csv', 0))
    assert found.columns == ['sales', 'price'] and 'known_columns' not in found.metainfo


@pytest.mark.parametrize('price', [lambda row: 2 + row % 5, lambda row: row % 7 * 1.5])
def test_numbers_that_go_on_for_a_whole_forecast_are_asked_about(tmp_path, price):
    path = write(tmp_path / 'a.csv', 7, price)
    with pytest.raises(DataError) as error:
        windows(path)
    assert error.value.message.startswith(f'`{path}:122`, series `s0`: `sales` has no value from')
    assert 'and `price` has' in error.value.message
    assert 'known="[\'price\']"' in error.value.hint
    assert windows(path, known=['price']).columns == ['sales']
    assert windows(path, targets=['sales', 'price']).columns == ['sales', 'price']


def test_a_column_that_lags_by_less_than_a_forecast_is_forecast_and_told(tmp_path):
    path = write(tmp_path / 'a.csv', 6, lambda row: 2 + row % 5)
    found = windows(path)
    assert found.columns == ['sales', 'price']
    series = CSVSeries(path=str(path), date_column='date', id_column='shop', missing='mask')
    notes = last_windows(series.read(), found.metainfo).notes
    assert notes == ['the last value of `sales` of series `s0` is 6 rows before the end, after '
                     'which its forecast begins']


def test_a_flag_with_a_gap_or_one_that_ends_too_is_no_future(tmp_path):
    path = write(tmp_path / 'a.csv', 3)
    text = path.read_text().splitlines()
    text[5] = text[5].rpartition(',')[0] + ','  # a gap in the flag
    path.write_text('\n'.join(text) + '\n')
    assert windows(path).columns == ['sales', 'price']
    text = write(path, 3).read_text().splitlines()
    text[-1] = text[-1].rpartition(',')[0] + ','
    path.write_text('\n'.join(text[:-1]) + '\n')
    assert windows(path).columns == ['sales']
