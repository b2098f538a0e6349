"""Rows of opening hours: the grid of a part of every day."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.time_grid import TimeGrid
from amlnn.errors import DataError

DAY = datetime(2024, 1, 1)


def open_days(first, last, days, minutes=30):
    """Times every half hour from `first` to `last`, hours, on these days."""
    return [DAY + timedelta(days=day, minutes=minute) for day in days
            for minute in range(60 * first, 60 * last + 1, minutes)]


def test_rows_of_opening_hours_follow_each_other_from_day_to_day(tmp_path):
    path = tmp_path / 'a.csv'
    times = open_days(8, 16, range(20))
    path.write_text('at,y\n' + ''.join(f'{when},{row % 7}\n' for row, when in enumerate(times)))
    series = CSVSeries(str(path), 'at').read()
    assert series.grid.name == '30 minutes from 08:00 to 16:00'
    assert series.season == 17
    assert len(series.values) == len(times)
    ahead = series.grid.ahead(series.times[-1], 18)
    assert [str(time) for time in ahead[[0, 16, 17]]] == [
        '2024-01-21T08:00:00', '2024-01-21T16:00:00', '2024-01-22T08:00:00']
    assert TimeGrid.parse(series.grid.name) == series.grid


def test_hours_of_business_days_skip_the_weekend(tmp_path):
    path = tmp_path / 'a.csv'
    times = open_days(9, 17, [day for day in range(28) if day % 7 < 5], minutes=60)
    path.write_text('at,y\n' + ''.join(f'{when},{row % 7}\n' for row, when in enumerate(times)))
    series = CSVSeries(str(path), 'at').read()
    assert series.grid.name == '1 hour from 09:00 to 17:00, business days'
    assert str(series.grid.ahead(series.times[-1], 1)[0]) == '2024-01-29T09:00:00'  # a Monday


def test_an_hour_that_is_missing_of_opening_hours_is_a_gap(tmp_path):
    path = tmp_path / 'a.csv'
    times = open_days(8, 16, range(20))
    del times[100]
    path.write_text('at,y\n' + ''.join(f'{when},{row % 7}\n' for row, when in enumerate(times)))
    with pytest.raises(DataError, match='a row of 30 minutes from 08:00 to 16:00'):
        CSVSeries(str(path), 'at').read()
    assert len(CSVSeries(str(path), 'at', gaps='mask').read().values) == 340


def test_series_that_are_open_longer_share_the_grid_of_all(tmp_path):
    path = tmp_path / 'a.csv'
    rows = [(when, name, row % 7) for name, last in (('s0', 16), ('s1', 18))
            for row, when in enumerate(open_days(8, last, range(20)))]
    path.write_text('date,store,sales\n' + ''.join(f'{a},{b},{c}\n' for a, b, c in rows))
    series = CSVSeries(str(path), id_column='store', gaps='mask').read()
    assert series.grid.name == '30 minutes from 08:00 to 18:00'
    assert np.diff(series.bounds).tolist() == [20 * 21 - 4, 20 * 21]


def test_a_day_and_night_with_few_gaps_has_no_opening_hours(tmp_path):
    path = tmp_path / 'a.csv'
    times = open_days(0, 23, range(20), minutes=60)
    path.write_text('at,y\n' + ''.join(f'{when},{row % 7}\n' for row, when in enumerate(times)))
    assert CSVSeries(str(path), 'at').read().grid.name == '1 hour'
