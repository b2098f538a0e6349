"""Grids of times: what is inferred, what follows a row, and what lies beside."""

import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from amlnn.data.series.clock import Clock, find_zone
from amlnn.data.series.time_grid import TimeGrid, infer_grid
from amlnn.errors import DataError

BERLIN = ZoneInfo('Europe/Berlin')
ROWS = 60


def array(times):
    return np.array(times, dtype='datetime64[s]')


def every(**step):
    return [datetime(2023, 1, 2, 6, 30) + place * timedelta(**step) for place in range(ROWS)]


def months(apart, day, first=(2023, 1)):
    """The day, or the last one, of every so many months."""
    found = []
    for place in range(ROWS):
        year, month = divmod(12 * first[0] + first[1] - 1 + apart * place, 12)
        found.append(date(year, month + 1,
                          min(day, calendar.monthrange(year, month + 1)[1])))
    return found


def weekdays(taken):
    days = [date(2023, 1, 2) + timedelta(place) for place in range(7 * ROWS)]
    return [day for day in days if day.weekday() in taken][:ROWS]


def last_weekdays():
    return [max(day for day in (end - timedelta(back) for back in range(4)) if day.weekday() < 5)
            for end in months(1, 31)]


GRIDS = {
    '1 second': every(seconds=1), '15 seconds': every(seconds=15), '1 minute': every(minutes=1),
    '15 minutes': every(minutes=15), '1 hour': every(hours=1), '90 minutes': every(minutes=90),
    '6 hours': every(hours=6), '1 day': every(days=1), '2 days': every(days=2),
    '1 week': every(days=7), '2 weeks': every(days=14), 'business days': weekdays(range(5)),
    'Mon, Tue, Wed, Thu, Fri, Sat': weekdays(range(6)), 'Mon, Wed, Fri': weekdays((0, 2, 4)),
    'Mon, Tue, Wed, Thu, Sun': weekdays((6, 0, 1, 2, 3)),
    'month start': months(1, 1), 'month end': months(1, 31), 'month, day 15': months(1, 15),
    'month, day 30': months(1, 30), 'month last weekday': last_weekdays(),
    '2 months start': months(2, 1), 'quarter start': months(3, 1),
    'quarter end': months(3, 31, (2023, 3)),
    'year start': months(12, 1), 'year end': months(12, 31, (2023, 12)),
    'year, day 15': months(12, 15, (1960, 6)),
}


@pytest.mark.parametrize('name', GRIDS)
def test_a_grid_is_inferred_and_goes_on_as_the_calendar_does(name):
    times = array(GRIDS[name])
    half = infer_grid(times[:ROWS // 2])
    assert half.name == name and TimeGrid.parse(name) == half
    assert (half.ahead(times[ROWS // 2 - 1], ROWS // 2) == times[ROWS // 2:]).all()
    assert half.positions(times).tolist() == list(range(ROWS))


@pytest.mark.parametrize('name', GRIDS)
def test_a_row_that_is_missing_leaves_a_hole_and_the_others_their_place(name):
    times = np.delete(array(GRIDS[name]), [7, 8, 30])
    grid = infer_grid(times)
    assert grid.name == name
    assert grid.positions(times).tolist() == np.delete(np.arange(ROWS), [7, 8, 30]).tolist()


def test_a_row_beside_the_grid_has_no_position():
    times = array(GRIDS['1 hour'])
    times[5] += np.timedelta64(60, 's')
    assert infer_grid(times).positions(times)[4:7].tolist() == [4, -1, 6]
    days = array(GRIDS['business days']).copy()
    days[4] += np.timedelta64(86400, 's')  # a Friday's row, on Saturday
    assert TimeGrid.parse('business days').positions(days)[3:6].tolist() == [3, -1, 5]


def test_five_days_from_a_monday_are_days_and_a_week_end_makes_them_business_days():
    times = array(GRIDS['business days'])
    assert infer_grid(times[:5]).name == '1 day'
    assert infer_grid(times[:6]).name == 'business days'
    assert infer_grid(times[:1]) is None


@pytest.mark.parametrize('start', [datetime(2024, 3, 29, 22), datetime(2024, 10, 26, 22)])
def test_hours_and_days_of_a_zone_pass_its_changes_of_clocks(start):
    clock = Clock(BERLIN, 'T')
    first = start.replace(tzinfo=BERLIN)
    hours = [first.astimezone(UTC) + timedelta(hours=place) for place in range(60)]
    days = [datetime(start.year, start.month, start.day, tzinfo=BERLIN) + timedelta(days=place)
            for place in range(5)]  # of the wall: Python adds days to what clocks show
    for name, expected in (('1 hour', hours), ('1 day', days)):
        utc = array([each.astimezone(UTC).replace(tzinfo=None) for each in expected])
        grid = infer_grid(utc, clock)
        assert grid.name == name and (grid.ahead(utc[0], len(utc) - 1, clock) == utc[1:]).all()
        assert grid.positions(utc, clock).tolist() == list(range(len(utc)))
        written = [each.astimezone(BERLIN).isoformat() for each in expected]
        assert clock.written(utc) == written
    assert len({each[-6:] for each in written}) == 2


def test_a_day_whose_midnight_clocks_skip_is_a_day():
    clock = Clock(find_zone('America/Sao_Paulo'))  # midnight of 2018-11-04 did not come
    wall = np.arange('2018-11-01', '2018-11-09', dtype='datetime64[D]').astype('datetime64[s]')
    times = clock.times(wall)
    assert infer_grid(times, clock).positions(times, clock).tolist() == list(range(8))
    assert clock.written(times)[3:5] == ['2018-11-04 01:00:00-02:00', '2018-11-05 00:00:00-02:00']


def test_ends_of_months_are_of_the_step_of_starts_and_not_of_quarters():
    month = TimeGrid.parse('month end')
    assert month.same_step(TimeGrid.parse('month start'))
    assert not month.same_step(TimeGrid.parse('quarter end'))
    assert not TimeGrid.parse('1 day').same_step(TimeGrid.parse('business days'))


@pytest.mark.parametrize(('name', 'other'), [
    ('hour', '60 minutes'), ('24 hours', '1 day'), ('7 days', 'week'), ('quarter', '3 months'),
    ('Monday, Friday', 'Fri, Mon'), ('business day', 'Mon,Tue,Wed,Thu,Fri'),
    ('Month End', 'months end'), ('6 months', '2 quarters start')])
def test_a_step_has_several_names(name, other):
    assert TimeGrid.parse(name) == TimeGrid.parse(other)


@pytest.mark.parametrize('name', [
    '', 'fortnight', '0 hours', '-1 hour', 'hour end', 'month, day 32', 'month, day 0', 'Mon',
    'Mon, Pi'])
def test_what_is_no_step_is_refused(name):
    with pytest.raises(DataError) as caught:
        TimeGrid.parse(name)
    assert repr(name) in caught.value.message and '15 minutes' in caught.value.hint


@pytest.mark.parametrize(('name', 'offset'), [('+05:30', '+05:30'), ('-03:00', '-03:00'),
                                              ('UTC', '+00:00'), ('Asia/Kolkata', '+05:30')])
def test_a_zone_has_a_name_or_an_offset(name, offset):
    assert Clock(find_zone(name)).written(array(['2024-01-01']))[0].endswith(offset)


@pytest.mark.parametrize('name', ['Europe/Berln', '+5', 'Mars/Base', ''])
def test_an_unknown_zone_is_refused(name):
    with pytest.raises(DataError) as caught:
        find_zone(name)
    assert repr(name) in caught.value.message and caught.value.hint
