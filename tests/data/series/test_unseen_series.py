"""Series that the training had not: the scale by which they are tested and forecast."""

from datetime import date, timedelta

import numpy as np
import pytest

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.ends import last_windows
from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError

RAMPS = {'a': np.arange(60.0), 'b': 500 + 2 * np.arange(60.0)}


def written(path, series):
    path.write_text('date,store,sales\n' + ''.join(
        f'{date(2024, 1, 1) + timedelta(days=row)},{name},{value:g}\n'
        for name, values in series.items() for row, value in enumerate(values)))
    return CSVSeries(str(path), id_column='store')


def windows(source, split='train', **more):
    return SeriesWindows(source, 7, 3, split, ratios=(0.6, 0.2, 0.2), **more)


@pytest.fixture
def info(tmp_path):
    return windows(written(tmp_path / 'trained.csv', RAMPS)).metainfo


def test_a_forecast_of_a_new_series_has_the_scale_of_all_its_rows(tmp_path, info):
    values = np.arange(20) * 10.0
    ends = last_windows(written(tmp_path / 'b.csv', {'new': values}).read(), info)
    assert ends.codes.tolist() == [-1]
    np.testing.assert_allclose(ends.inputs[0, :, 0], (values[-7:] - values.mean()) / values.std(),
                               rtol=1e-6)


@pytest.mark.parametrize(('split', 'rows'), [('val', 30), ('test', 40)])
def test_an_evaluation_of_a_new_series_has_the_scale_of_its_rows_before(tmp_path, info, split,
                                                                         rows):
    values = np.arange(50) ** 2.0
    source = written(tmp_path / 'b.csv', {'new': values, 'b': RAMPS['b']})
    part = windows(source, split, scaler=info['scaler'])
    assert part.scaler.ids == ['a', 'b', 'new']
    past = values[:rows]
    np.testing.assert_allclose([part.scaler.mean[2, 0], part.scaler.deviation[2, 0]],
                               [past.mean(), past.std()])
    assert part.scaler.mean[:2].tolist() == info['scaler']['mean']


def test_rows_up_to_the_test_part_are_scaled_in_a_test_as_in_a_forecast_from_its_begin(tmp_path,
                                                                                       info):
    values = np.arange(50) ** 2.0
    part = windows(written(tmp_path / 'b.csv', {'new': values}), 'test', scaler=info['scaler'])
    ends = last_windows(written(tmp_path / 'c.csv', {'new': values[:40]}).read(), info)
    assert part.__getitems__([0])['inputs'][0].numpy().tolist() == ends.inputs[0].tolist()


def test_a_new_series_that_stands_still_has_the_deviation_usual_in_training(tmp_path, info):
    usual = np.median([RAMPS[name][:36].std() for name in 'ab'])
    source = written(tmp_path / 'b.csv', {'still': [5.0] * 40})
    for scaler in (windows(source, 'test', scaler=info['scaler']).scaler.deviation[2],
                   last_windows(source.read(), info).deviation[0]):
        np.testing.assert_allclose(scaler, usual)


def test_where_the_training_scaled_nothing_a_new_series_is_as_it_is(tmp_path):
    plain = windows(written(tmp_path / 'a.csv', RAMPS), scale=False).metainfo
    values = np.arange(30) * 3.0
    source = written(tmp_path / 'b.csv', {'new': values})
    assert last_windows(source.read(), plain).inputs[0, :, 0].tolist() == values[-7:].tolist()
    part = windows(source, 'test', scale=False, scaler=plain['scaler'])
    assert part.__getitems__([0])['targets'][0, :, 0].tolist() == values[24:27].tolist()


def test_a_file_of_one_series_is_refused_by_a_model_of_many_and_the_other_way_round(tmp_path, info):
    alone = CSVSeries(str(tmp_path / 'b.csv'), columns=['sales'])
    many = written(tmp_path / 'b.csv', {'new': np.arange(40.0)})
    one = windows(alone).metainfo
    for state, source in ((info, alone), (one, many)):
        for ask in (lambda state=state, source=source: windows(source, scaler=state['scaler']),
                    lambda state=state, source=source: last_windows(source.read(), state)):
            with pytest.raises(DataError, match='the model was trained on') as caught:
                ask()
            assert caught.value.hint
