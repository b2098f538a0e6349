"""A file and the steps that a checkpoint knows."""

import numpy as np
import pytest

from amlnn.data.series.continuation import check_step, lay_on_trained_grid, trained_grid
from amlnn.data.series.series import Series
from amlnn.data.series.time_grid import TimeGrid
from amlnn.errors import CheckpointError, DataError

START = np.datetime64('2024-01-01T00:00:00')  # a Monday


def series(step, count=40, without=()):
    times = TimeGrid.parse(step).at(START, np.arange(count))
    kept = np.delete(np.arange(count), without)
    values = np.arange(count, dtype=float)[kept, None]
    return Series(values, values > -1, ['y'], times[kept], path='x.csv', lines=kept + 2)


def trained(step, look_back=8, old=False):
    whole = series(step)
    info = dict(step_seconds=whole.step_seconds, look_back=look_back)
    return info if old else info | dict(step=step)


STEPS = ['15 minutes', '1 hour', '1 day', 'business days', '1 week', 'month start', 'quarter end']


@pytest.mark.parametrize('step', STEPS)
@pytest.mark.parametrize('old', [False, True])
def test_a_file_of_the_same_step_goes_on(step, old):
    laid = lay_on_trained_grid(series(step), trained(step, old=old), 'c.pth')
    assert laid.grid.name == step and len(laid.values) == 40
    check_step({'step': step, 'step_seconds': laid.step_seconds}, trained(step, old=old), 'c.pth')


@pytest.mark.parametrize(('was', 'now'), [
    (was, now) for was in STEPS for now in STEPS if was != now])
def test_a_file_of_another_step_is_refused_with_both(was, now):
    file = series(now)
    for check in (lambda: lay_on_trained_grid(file, trained(was), 'c.pth'),
                  lambda: check_step({'step': now, 'step_seconds': file.step_seconds},
                                     trained(was), 'c.pth')):
        with pytest.raises(CheckpointError) as caught:
            check()
        assert f'trained on rows of {was}' in caught.value.message
        assert f'rows of {now}' in caught.value.message and caught.value.hint


def test_an_older_checkpoint_knows_its_step_in_seconds():
    old = trained('1 hour', old=True)
    assert trained_grid(old).name == '1 hour' and trained_grid({}) is None
    with pytest.raises(CheckpointError, match='rows of 1 hour'):
        lay_on_trained_grid(series('15 minutes'), old, 'c.pth')
    check_step({'step': 'month start', 'step_seconds': 30 * 86400.0},
               {'step_seconds': 31 * 86400.0}, 'c.pth')
    check_step({'step': '1 hour', 'step_seconds': 3600.0}, {'step_seconds': None}, 'c.pth')
    check_step({'step': None, 'step_seconds': None}, trained('1 hour'), 'c.pth')


def test_ends_of_months_go_on_in_a_model_of_starts():
    laid = lay_on_trained_grid(series('month end'), trained('month start'), 'c.pth')
    assert laid.grid.name == 'month end'


def test_a_week_of_business_days_is_what_the_checkpoint_knows():
    week = series('business days', 5)
    assert lay_on_trained_grid(week, trained('business days', 5), 'c.pth').grid.days == '1111100'


def test_a_gap_counts_where_the_model_looks_back():
    info = trained('1 hour')
    laid = lay_on_trained_grid(series('1 hour', without=[3, 30]), info, 'c.pth')
    assert len(laid.values) == 40 and np.flatnonzero(~laid.observed).tolist() == [3, 30]
    with pytest.raises(DataError) as caught:
        lay_on_trained_grid(series('1 hour', without=[3, 34, 36]), info, 'c.pth')
    assert '2 rows of 1 hour are missing in the last 8' in caught.value.message
    assert '2024-01-02 10:00:00' in caught.value.message and "gaps='mask'" in caught.value.hint
    masked = lay_on_trained_grid(series('1 hour', without=[34, 36]), info, 'c.pth', 'mask')
    assert np.flatnonzero(~masked.observed).tolist() == [34, 36]


def test_a_step_that_the_source_says_counts():
    sparse = series('business days', 6, without=[1, 3])  # alone, they could be of any step
    hourly = TimeGrid.parse('1 hour')
    laid = lay_on_trained_grid(sparse, trained('business days'), 'c.pth', 'mask',
                               TimeGrid.parse('business days'))
    assert len(laid.values) == 6
    with pytest.raises(CheckpointError, match='rows of 1 hour'):
        lay_on_trained_grid(sparse, trained('business days'), 'c.pth', 'mask', hourly)


def test_rows_without_times_go_on_as_they_are():
    plain = Series(np.ones((9, 1)), np.ones((9, 1), dtype=bool), ['y'])
    assert lay_on_trained_grid(plain, trained('1 hour'), 'c.pth') is plain
