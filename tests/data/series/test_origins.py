"""Rolling origins: parts for choosing, all before the test part."""

import numpy as np
import pytest
from generated import write_series

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError


def windows(file, split, origin, **more):
    source = CSVSeries(str(file), date_column='date') if not more.get('source') \
        else more.pop('source')
    return SeriesWindows(source, 6, 3, split, ratios=(0.6, 0.2, 0.2), origin=origin, **more)


def rows_ahead(dataset):
    """Rows of the series that are targets of a window."""
    starts = dataset.window_start_rows(np.arange(len(dataset))) + dataset.look_back
    return {row for start in starts for row in range(start, start + dataset.horizon)}


def test_the_stretches_cover_the_second_half_of_what_lies_before_the_test_part(tmp_path):
    file = write_series(tmp_path / 'series.csv', rows=400)
    tested = [rows_ahead(windows(file, 'test', (place, 4))) for place in range(4)]
    assert [(min(each), max(each)) for each in tested] == [
        (160, 199), (200, 239), (240, 279), (280, 319)]  # 400 rows less 80 of the test part
    for place, rows in enumerate(tested):
        before = [rows_ahead(windows(file, part, (place, 4))) for part in ('train', 'val')]
        assert max(before[0]) < min(before[1]) and max(before[1]) == min(rows) - 1
        assert len(before[1]) == pytest.approx(min(rows) * 0.2 / 0.8, abs=1)


def test_the_scaler_is_fitted_at_every_origin(tmp_path):
    file = write_series(tmp_path / 'series.csv', rows=400)
    means = []
    for place in range(2):
        dataset = windows(file, 'test', (place, 2))
        values = np.loadtxt(file, delimiter=',', skiprows=1, usecols=1)
        end = dataset.borders[0]
        assert dataset.scaler.mean[0] == pytest.approx(values[:end].mean())
        means.append(end)
    assert means[0] < means[1]


def test_borders_are_rolled_like_ratios(tmp_path):
    file = write_series(tmp_path / 'series.csv', rows=400)
    source = CSVSeries(str(file), date_column='date')
    dataset = SeriesWindows(source, 6, 3, 'test', borders=(200, 300, 350), origin=(2, 3))
    # Validation keeps its third of what lies before the test part.
    assert dataset.borders == (167, 250, 300)


def test_each_series_of_a_panel_is_rolled_by_its_own_length(tmp_path):
    file = tmp_path / 'panel.csv'
    lines = ['name,time,value']
    for name, rows in (('a', 200), ('b', 100)):
        lines += [f'{name},2020-01-01T{place // 60:02}:{place % 60:02}:00,{place % 7 + place / 50}'
                  for place in range(rows)]
    file.write_text('\n'.join(lines))
    source = CSVSeries(str(file), date_column='time', id_column='name')
    whole = windows(file, 'test', None, source=source)
    for place in range(2):
        dataset = windows(file, 'test', (place, 2), source=source)
        assert set(dataset.window_series(np.arange(len(dataset)))) == {0, 1}
        assert not rows_ahead(dataset) & rows_ahead(whole)
    assert rows_ahead(dataset) == {*range(120, 160), *range(260, 280)}


@pytest.mark.parametrize('origin', [(4, 4), (-1, 4), 3, (0, 4.0), (1,), 'a', (True, 2)])
def test_what_is_no_origin_is_refused(tmp_path, origin):
    file = write_series(tmp_path / 'series.csv', rows=400)
    with pytest.raises(DataError, match='origin'):
        windows(file, 'test', origin)
