"""What intervals held, by step ahead and by series, in a table of the page."""

import numpy as np

from amlnn.report.held import held_table
from amlnn.results.forecasting import Interval
from amlnn.results.forecasts import Forecasts


def forecasts(steps, names=()):
    """Two windows each of one or two series: all targets 0, so what an interval holds is its own.
    """
    zero = np.zeros((4, steps, 1), np.float32)
    return Forecasts(
        np.array([f'{place}' for place in range(4)]), zero, zero, ['y'], np.zeros((2, 1)),
        np.ones((2, 1)), names=list(names), places=np.array([0, 0, 1, 1]) if names else None)


def test_thirds_of_the_horizon_are_means_of_their_steps():
    low = np.full((4, 7, 1), -1.0)
    low[0, 0] = low[:2, 3] = low[:, 5] = 1.0  # 3 in 4, 1 in 2 and none of these steps
    table = held_table(forecasts(7), [Interval(0.8, low, low + 2.5)])
    assert table.head == ['interval', 'steps 1 to 3', 'steps 4 to 5', 'steps 6 to 7']
    assert table.rows == [['80 % held', '91.7 %', '75.0 %', '50.0 %']]


def test_of_a_panel_the_series_of_which_least_and_most_is_held_are_named():
    low = np.full((4, 1, 1), -1.0)
    low[3] = 1.0
    table = held_table(forecasts(1, ['a', 'b']), [Interval(0.95, low, low + 2.5)])
    assert table.head == ['interval', 'step 1', 'least, of series', 'most, of series']
    assert table.rows == [['95 % held', '75.0 %', '50.0 %, b', '100.0 %, a']]


def test_where_there_is_no_interval_nothing_is_said():
    none = np.full((4, 2, 1), np.nan)
    assert held_table(forecasts(2), [Interval(0.8, none, none)]).rows == [
        ['80 % held', '–', '–']]  # noqa: RUF001
