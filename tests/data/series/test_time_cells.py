"""Times as they stand in files."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from amlnn.data.series.time_cells import TimeCells, looks_like_time
from amlnn.errors import DataError


def read(*cells, **options):
    """Times as text, with their offsets; what was concluded."""
    times, clock, notes = TimeCells(list(cells), lambda row: f'line {row + 2}', **options).read()
    return clock.written(times), notes


def refused(*cells, **options):
    with pytest.raises(DataError) as caught:
        read(*cells, **options)
    assert caught.value.hint
    return caught.value.message + '\n' + caught.value.hint


@pytest.mark.parametrize(('cell', 'expected'), [
    ('2020-1-5', '2020-01-05 00:00:00'), ('2020.01.05', '2020-01-05 00:00:00'),
    ('2020.01.05 22:10', '2020-01-05 22:10:00'), ('2020-1-5 3:07:09', '2020-01-05 03:07:09'),
    ('2020-W02', '2020-01-06 00:00:00'), ('2020W02', '2020-01-06 00:00:00'),
    ('2020Q3', '2020-07-01 00:00:00'), ('2020-Q4', '2020-10-01 00:00:00'),
    ('Q2 2020', '2020-04-01 00:00:00'), ('q1/2020', '2020-01-01 00:00:00'),
    ('Mar 2020', '2020-03-01 00:00:00'), ('March 2020', '2020-03-01 00:00:00'),
    ('05-Mar-2020', '2020-03-05 00:00:00'), ('March 5, 2020', '2020-03-05 00:00:00'),
    ('2020-Mar', '2020-03-01 00:00:00'), ('05.03.2020', '2020-03-05 00:00:00'),
    ('5.3.2020 7:00', '2020-03-05 07:00:00'), ('31/03/2020', '2020-03-31 00:00:00'),
    ('03/31/2020', '2020-03-31 00:00:00'), ('3/31/2020 12:05 AM', '2020-03-31 00:05:00'),
    ('3/31/2020 12:05 PM', '2020-03-31 12:05:00'), ('31.12.2019 24:00', '2020-01-01 00:00:00'),
    ('2020-01-01 00:00:00.000000000', '2020-01-01 00:00:00'),
    ('1577836800', '2020-01-01 00:00:00+00:00'), ('1577836800000', '2020-01-01 00:00:00+00:00'),
    ('2020-01-05T03:00Z', '2020-01-05T03:00:00Z'),
    ('2020-01-05 03:00+0530', '2020-01-05 03:00:00+05:30'),
    ('31.03.2020 02:00 +01:00', '2020-03-31 02:00:00+01:00'),
])
def test_a_time_is_read_and_written_with_what_it_says_of_its_zone(cell, expected):
    assert read(cell)[0] == [expected]


@pytest.mark.parametrize('cell', ['1000', '01022020', '43831.5', '202001', 'yesterday', '',
                                  '2020-13-01', '2020Q5', '31.02.2020', '2020-01-01 25:00',
                                  '2020-01-01 00:00 CET', '12:00', '2020.5', '0099-01-01'])
def test_what_is_no_time_is_named_by_its_line(cell):
    assert 'line 3' in refused('2020-01-01', cell) and f'`{cell}`' in refused('2020-01-01', cell)


def test_the_order_of_day_and_month_is_that_of_the_whole_column():
    assert read('01/02/2020', '13/02/2020')[0][0] == '2020-02-01 00:00:00'
    assert read('01/02/2020', '01/13/2020')[0][0] == '2020-01-02 00:00:00'
    assert 'day comes first' in read('01/02/2020', '13/02/2020')[1][0]
    assert 'month comes first' in read('01/02/2020', '01/13/2020')[1][0]
    said = refused('01/02/2020 10:00', '01/03/2020 10:00')
    assert "'%d/%m/%Y %H:%M'" in said and "'%m/%d/%Y %H:%M'" in said
    assert read('01/02/2020', date_format='%m/%d/%Y')[0] == ['2020-01-02 00:00:00']
    said = refused('13/01/2020', '01/14/2020')
    assert 'line 3' in said and '`13/01/2020`' in said and '`01/14/2020`' in said


def test_fractions_mixed_zones_and_another_format_are_refused():
    assert 'line 3' in refused('2020-01-01 00:00:00.0', '2020-01-01 00:00:00.5')
    said = refused('2020-01-01 00:00', '2020-01-01 01:00+01:00')
    assert 'line 3' in said and 'offset' in said
    assert 'line 2' in refused('2020-01-01', date_format='%d.%m.%Y')


@pytest.mark.parametrize(('start', 'hours'), [(datetime(2024, 3, 30, 20), 12),
                                              (datetime(2024, 10, 26, 20), 12)])
def test_local_times_without_offset_are_read_in_order_where_clocks_change(start, hours):
    zone = ZoneInfo('Europe/Berlin')
    first = start.replace(tzinfo=zone).astimezone(UTC)
    truth = [(first + timedelta(minutes=30 * place)).astimezone(zone)
             for place in range(2 * hours)]
    cells = [each.replace(tzinfo=None).isoformat(' ') for each in truth]
    assert read(*cells, timezone='Europe/Berlin')[0] == [each.isoformat(' ') for each in truth]


def test_an_hour_that_clocks_skipped_is_refused_and_one_of_winter_time_is_not():
    cells = '2024-03-31 01:00', '2024-03-31 02:00', '2024-03-31 03:00'
    said = refused(*cells, timezone='Europe/Berlin')
    assert 'line 3' in said and "timezone='+01:00'" in said
    assert read(*cells, timezone='+01:00')[0][1] == '2024-03-31 02:00:00+01:00'


def test_offsets_of_summer_and_winter_name_a_zone_that_has_them():
    zone = ZoneInfo('America/Chicago')
    first = datetime(2024, 3, 10, 6, tzinfo=UTC)
    cells = [(first + timedelta(hours=place)).astimezone(zone).isoformat() for place in range(6)]
    assert len({cell[-6:] for cell in cells}) == 2
    written, notes = read(*cells)
    assert written == cells and 'America/Chicago' in notes[0]
    assert read(*cells, timezone='UTC')[0][0] == '2024-03-10T06:00:00+00:00'
    said = refused('2024-03-10T06:00:00+01:00', '2024-03-10T16:00:00+07:00')
    assert 'line 3' in said and "timezone='UTC'" in said


def test_times_are_instants_in_utc_where_the_zone_is_known():
    times = TimeCells(['2024-01-01T00:00+05:30'], str).read()[0]
    assert times.tolist() == [datetime(2023, 12, 31, 18, 30)]
    assert times.dtype == np.dtype('datetime64[s]')


@pytest.mark.parametrize(('cell', 'expected'), [
    ('2020-01-01', True), ('01.02.2020', True), ('2020Q1', True), ('20200101', False),
    ('5', False), ('x', False), ('', False)])
def test_a_cell_looks_like_a_time_or_not(cell, expected):
    assert looks_like_time(cell) is expected
