"""The picture of a forecast: the end of the past, the forecast and its intervals."""

import re

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.dates import num2date
from PIL import Image

from amlnn.predicted_series import PredictedSeries
from amlnn.report.canvas import any_name
from amlnn.report.predicted import draw_prediction, places_shown


def series(name='', rows=100, steps=6, columns=1, step='h', start='2024-03-01T00', **changes):
    times = (np.datetime64(start) + np.arange(rows + steps) * np.timedelta64(1, step)) \
        .astype('datetime64[s]')
    values = 50 + np.sin(np.arange(rows + steps)[:, None] / 4) + 100 * np.arange(columns)
    point = values[rows:]
    given = dict(name=name, values=values[:rows], point=point, times=times[:rows],
                 ahead=times[rows:], intervals=[(0.8, point - 1, point + 1),
                                                (0.95, point - 2, point + 3)])
    return PredictedSeries(**{**given, **changes})


def line(axes, label):
    return next(each for each in axes.get_lines() if each.get_label() == label)


def texts(figure):
    from matplotlib.text import Text
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def hours(line):
    return [num2date(each).strftime('%m-%d %H') for each in
            line.axes.convert_xunits(line.get_xdata(orig=False))]


def test_the_last_three_horizons_and_the_forecast_stand_at_their_times():
    shown = series(rows=100, steps=10)
    axes, = draw_prediction(None, [shown], ['load']).axes
    past, forecast = line(axes, 'past'), line(axes, 'forecast')
    np.testing.assert_array_equal(past.get_ydata(), shown.values[-30:, 0])
    np.testing.assert_array_equal(forecast.get_ydata(), shown.point[:, 0])
    assert hours(past)[-1] == '03-05 03' and hours(forecast)[0] == '03-05 04'  # 100 hours on
    assert axes.get_ylabel() == 'load'


def test_of_few_steps_a_day_of_rows_is_shown():
    axes, = draw_prediction(None, [series(steps=2)], ['y']).axes
    assert len(line(axes, 'past').get_ydata()) == 24


def test_intervals_are_bands_the_widest_behind():
    axes, = draw_prediction(None, [series()], ['y']).axes
    bands = [each for each in axes.collections if isinstance(each, PolyCollection)]
    assert [each.get_label() for each in bands] == ['95 % interval', '80 % interval']
    wide, narrow = (each.get_paths()[0].vertices[:, 1] for each in bands)
    point = series().point
    assert (wide.min(), wide.max()) == pytest.approx((point.min() - 2, point.max() + 3))
    assert (narrow.min(), narrow.max()) == pytest.approx((point.min() - 1, point.max() + 1))


def test_one_step_has_bars_for_bands():
    shown = series(steps=1)
    axes, = draw_prediction(None, [shown], ['y']).axes
    wide, narrow = (each.get_segments()[0][:, 1] for each in axes.collections)
    np.testing.assert_allclose(wide - shown.point[0, 0], [-2, 3])
    np.testing.assert_allclose(narrow - shown.point[0, 0], [-1, 1])


def test_without_intervals_the_forecast_stands_alone():
    axes, = draw_prediction(None, [series(intervals=[])], ['y']).axes
    assert not axes.collections


def test_missing_values_are_gaps_and_one_between_them_has_a_mark():
    values = series(steps=20).values.copy()
    values[[-9, -8, -6, -5]] = np.nan
    axes, = draw_prediction(None, [series(steps=20, values=values)], ['y']).axes
    past = line(axes, 'past')
    assert np.flatnonzero(np.isnan(past.get_ydata())).tolist() == [51, 52, 54, 55]
    assert past.get_markevery() == [53]


@pytest.mark.parametrize(('times', 'ahead', 'first'), [
    (None, None, 100), (np.arange(500, 600), None, 600), (np.arange(500, 600),
                                                          np.arange(600, 606), 600)])
def test_without_times_rows_are_counted(times, ahead, first):
    axes, = draw_prediction(None, [series(times=times, ahead=ahead)], ['y']).axes
    assert line(axes, 'forecast').get_xdata().tolist() == list(range(first, first + 6))
    assert line(axes, 'past').get_xdata()[-1] == first - 1 and axes.get_xlabel() == 'row'


@pytest.mark.parametrize(('count', 'panels'), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6),
                                               (9, 6)])
def test_up_to_six_series_have_a_panel_each(count, panels):
    figure = draw_prediction(None, [series(f's{place}') for place in range(count)], ['y'])
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc='left') for axes in shown] == [f's{place}' for place in
                                                              range(panels)]
    assert any('6 of 9 series' in text for text in texts(figure)) == (count == 9)


def test_it_says_of_how_many_series_and_columns_it_shows_some():
    figure = draw_prediction(None, [series(f's{place}', columns=7) for place in range(6)],
                             list('abcdefg'), 'Forecast of x.csv', total=1234)
    assert {'Forecast of x.csv', '6 steps ahead; 3 of 1,234 series; the first 4 of 7 columns'} \
        <= set(texts(figure))
    assert len(figure.axes) == 12
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == list('abcd')
    assert line(figure.axes[5], 'forecast').get_ydata()[0] == pytest.approx(
        series(columns=7).point[0, 1])


def test_a_series_alone_says_where_the_forecast_begins():
    assert '6 steps ahead, from 2024-03-05 04:00 on' in texts(
        draw_prediction(None, [series()], ['y']))
    assert '6 steps ahead, from 2024-06-09 on' in texts(
        draw_prediction(None, [series(step='D')], ['y']))


@pytest.mark.parametrize(('step', 'start', 'seen'), [
    ('m', '2024-03-01T00:00', r'\d\d:\d\d'), ('h', '2024-03-01T00', r'\d\d Mar'),
    ('D', '2024-03-01', r'01 Jun'), ('M', '1999-01', '20\\d\\d'), ('Y', '1900', '1980')])
def test_dates_are_readable_from_minutes_to_years(step, start, seen, tmp_path):
    every = (np.datetime64(start) + np.arange(106) * np.timedelta64(1, step)) \
        .astype('datetime64[s]')
    figure = draw_prediction(tmp_path / 'a.png', [series(times=every[:100], ahead=every[100:])],
                             ['y'])
    labels = [each.get_text() for each in figure.axes[0].get_xticklabels()]
    assert 3 <= len(labels) <= 10
    assert any(re.fullmatch(seen, label) for label in labels), labels


def test_a_png_is_written_whole_with_long_names_and_large_numbers(tmp_path):
    long = 'a name of a series that is much longer than there is room for, number '
    shown = [series(f'{long}{place} $x$ \u732b', values=series().values * 1e7, rows=100,
                    point=series().point * 1e7, intervals=[]) for place in range(5)]
    figure = draw_prediction(tmp_path / 'a.png', shown, [f'{long}of a column'])
    with any_name(figure):
        figure.draw_without_rendering()
        for title in figure.findobj(lambda each: getattr(each, 'get_text', str)()[:6] == 'a name'):
            assert title.get_window_extent().x1 <= figure.bbox.x1
    assert '500,000,000' in texts(figure)
    with Image.open(tmp_path / 'a.png') as image:
        assert len(np.unique(np.asarray(image.convert('L')))) > 20


def test_series_shown_are_the_first_the_last_and_evenly_between():
    assert places_shown(6) == [0, 1, 2, 3, 4, 5] and places_shown(7)[0] == 0
    for count in (7, 30, 100_000):
        places = places_shown(count)
        assert len(set(places)) == 6 and places[0] == 0 and places[-1] == count - 1
        assert max(np.diff(places)) - min(np.diff(places)) <= 1
    assert places_shown(9, columns=2) == [0, 4, 8]
