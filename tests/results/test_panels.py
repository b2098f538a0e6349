"""Stored forecasts of many series: read, taken apart, and their errors by series."""

import numpy as np
import pytest
from forecast_folders import arrays, panel_arrays, series_errors, write_panel
from run_folders import test_record as record

from amlnn.errors import DataError
from amlnn.formulas.conformal import fit_conformal, fit_intervals, margins_by_series
from amlnn.results.forecasting import (
    find_intervals,
    held_by_series,
    one_series,
    reference_errors,
    window_times,
)
from amlnn.results.forecasts import read_forecasts
from amlnn.results.panels import panel_errors
from amlnn.results.store import find_runs
from amlnn.results.summary import compare


def read(tmp_path, **stored):
    np.savez(tmp_path / 'f.npz', **stored)
    return read_forecasts(tmp_path / 'f.npz')


@pytest.fixture
def known(tmp_path):
    return read(tmp_path, **panel_arrays())


def test_a_series_of_a_panel_is_what_it_is_alone(tmp_path, known):
    alone = read(tmp_path, **{**arrays(50, seed=2, error=0.6), 'mean': np.array([1000.0]),
                              'deviation': np.array([200.0])})
    taken = known.of(2)
    assert known.names == ['shop 0', 'shop 1', 'shop 2', 'shop 3']
    for name in ('ids', 'targets', 'forecasts', 'mean', 'deviation', 'series'):
        np.testing.assert_array_equal(getattr(taken, name), getattr(alone, name))
    assert taken.mse == alone.mse and taken.stride == 1 and taken.names == []


def test_windows_that_lie_in_no_order_are_given_back_to_their_series(tmp_path, known):
    stored = panel_arrays()
    mixed = (2, 0, 3, 1)
    order = np.concatenate([np.flatnonzero(stored['series'] == place) for place in mixed])
    again = read(tmp_path, **{name: each[order] if name in ('id', 'target', 'forecast', 'series')
                              else each for name, each in stored.items()})
    for place in range(4):
        np.testing.assert_array_equal(again.of(place).targets, known.of(place).targets)
    assert again.stride == known.stride == 1


def test_values_come_back_in_the_units_of_their_own_series(known):
    values = known.original(known.targets)
    for place, scale in ((0, 1), (3, 1000)):
        rows = known.places == place
        np.testing.assert_allclose(values[rows], known.targets[rows] * 2 * scale + 10 * scale)


def test_times_stand_behind_the_name_of_the_series(tmp_path, known):
    times = window_times(known)
    assert times[0] == times[known.windows_of(3)[0]] == np.datetime64('2020-01-01T00:00:00')
    stored = panel_arrays()
    rows = read(tmp_path, **{**stored, 'id': np.array(
        [f'shop {place} {row}' for row, place in enumerate(stored['series'])])})
    assert window_times(rows) is None and rows.starts[-1] == str(len(stored['id']) - 1)


def test_repeating_the_last_value_looks_into_no_other_series(known):
    errors = [reference_errors(known.of(place))['repeat last'] for place in range(4)]
    windows = np.array([len(known.windows_of(place)) - 1 for place in range(4)])
    np.testing.assert_allclose(reference_errors(known)['repeat last'],
                               np.average(errors, axis=0, weights=windows))


@pytest.mark.parametrize(('changes', 'message'), [
    ({'series': np.zeros(3, np.int64)}, 'series has the shape'),
    ({'series': np.full(182, 4)}, 'series from 4 to 4 do not fit 4 ids'),
    ({'mean': np.zeros(1)}, 'mean has the shape'),
    ({'ids': np.arange(4)}, 'ids must be strings'),
])
def test_a_panel_that_does_not_fit_is_refused(tmp_path, changes, message):
    stored = {**panel_arrays(), **changes}
    assert len(stored['id']) == 182
    with pytest.raises(DataError, match=message):
        read(tmp_path, **stored)
    del stored['series']
    with pytest.raises(DataError, match='come together'):
        read(tmp_path, **stored)


def test_series_with_windows_enough_have_margins_of_their_own():
    random = np.random.default_rng(3)
    series = np.repeat([0, 1, 2], [60, 39, 41])
    target = random.normal(0, 1 + series[:, None, None] * 3, (140, 2, 1))
    zero = np.zeros_like(target)
    pooled = fit_intervals(target, zero)
    found = margins_by_series(pooled, series, 4, target, zero)
    for each, margins in zip(pooled, found, strict=True):
        for place in (0, 2):
            own = fit_conformal(target[series == place], point=zero[series == place],
                                level=each.level).margin
            np.testing.assert_array_equal(margins[place], own)
        np.testing.assert_array_equal(margins[1], each.margin)  # 39 windows
        np.testing.assert_array_equal(margins[3], each.margin)  # none


def test_a_series_has_intervals_of_its_own_errors_once_there_are_enough(tmp_path):
    run, = find_runs([write_panel(tmp_path / 'run', series=4)])
    validation, shown = run.forecasts('val'), run.forecasts('test')
    intervals = find_intervals(run, 'test')
    assert [each.level for each in intervals] == [0.8, 0.95]
    pooled = fit_conformal(validation.targets, point=validation.forecasts, level=0.8).margin
    rows = validation.windows_of(0)  # 53 windows, and 38 of the last
    own = fit_conformal(validation.targets[rows], point=validation.forecasts[rows],
                        level=0.8).margin
    for place, margin in ((0, own), (3, pooled)):
        alone, (narrow, _) = one_series(shown, intervals, place)
        # By the first window the level has hardly moved, and no error of the part is known.
        np.testing.assert_allclose((narrow.high - alone.forecasts)[0], margin,
                                   rtol=0.15 if place == 0 else 1e-4)
    last = (intervals[0].high - shown.forecasts)[shown.windows_of(3)]
    assert not np.allclose(last[-1], pooled, rtol=1e-3)  # 38 and some of its own by then
    held = held_by_series(shown, intervals[0])
    for place in range(4):
        at = shown.windows_of(place)
        inside = (intervals[0].low[at] <= shown.targets[at]) & (
            shown.targets[at] <= intervals[0].high[at])
        assert held[place] == pytest.approx(inside.mean())


def test_errors_by_series_are_those_of_hand_arithmetic(tmp_path):
    # Two windows of one step: series a errs by 1 and 3 at a deviation of 2, b by 1 at one of 10.
    known = read(tmp_path, id=np.array(['a 0', 'a 1', 'b 0']), columns=np.array(['y']),
                 target=np.array([[[1.0]], [[2.0]], [[3.0]]], np.float32),
                 forecast=np.array([[[2.0]], [[5.0]], [[4.0]]], np.float32),
                 ids=np.array(['a', 'b', 'c']), series=np.array([0, 0, 1]),
                 mean=np.array([[0.0], [100.0], [0.0]]), deviation=np.array([[2.0], [10.0], [1.0]]))
    panel = panel_errors(known)
    a, b = panel.series
    assert (a.name, a.windows, a.mae, a.mse, a.scaled_mae) == ('a', 2, 4.0, 20.0, 2.0)
    assert (b.name, b.windows, b.mae, b.mse, b.scaled_mae) == ('b', 1, 10.0, 100.0, 1.0)
    assert panel.scaled_mae == 1.5 and panel.without == 1 and panel.simple is None
    assert panel.wape == pytest.approx((2 + 6 + 10) / (2 + 4 + 130))
    assert [(word, each.name) for word, each in panel.typical] == [('worst', 'a'), ('best', 'b')]


def test_missing_targets_count_for_nothing(tmp_path):
    stored = panel_arrays()
    observed = np.ones(stored['target'].shape, dtype=bool)
    observed[:, 3] = False
    observed[stored['series'] == 1] = False
    wrong = np.where(observed, stored['forecast'], 1e6).astype(np.float32)
    panel = panel_errors(read(tmp_path, **{**stored, 'forecast': wrong}, observed=observed))
    assert {each.name for each in panel.series} == {'shop 0', 'shop 2', 'shop 3'}
    kept = stored['series'] == 2
    error = np.abs(stored['forecast'] - stored['target'].astype(float))[kept]
    found = next(each for each in panel.series if each.place == 2)
    assert found.scaled_mae == pytest.approx(np.delete(error, 3, axis=1).mean())
    assert panel.without == 1


def test_series_stand_by_their_ratio_to_the_best_simple_method(tmp_path, known):
    errors = series_errors(panel_arrays())
    errors['noise-free truth'] = [{**each, 'mae': 1e-9} for each in errors['ridge']]
    errors['on other windows'] = [{**each, 'mae': 1e-9, 'windows': 3} for each in errors['ridge']]
    errors['of some series'] = [{**each, 'mae': None} for each in errors['ridge']]
    panel = panel_errors(known, record(series_errors=errors))
    assert panel.simple == 'ridge'
    assert [each.name for each in panel.series] == ['shop 3', 'shop 2', 'shop 1', 'shop 0']
    for each in panel.series:
        assert set(each.simple) == {'repeat last', 'ridge'}
        assert each.ratio == pytest.approx(each.mae / each.simple['ridge'])
        assert each.ratio == pytest.approx(2 * each.scaled_mae)  # ridge errs half a deviation


def test_a_simple_method_without_error_is_no_division_by_zero(known):
    errors = {'perfect': [{**each, 'mae': 0.0} for each in series_errors(panel_arrays())['ridge']]}
    panel = panel_errors(known, record(series_errors=errors))
    assert all(each.ratio == np.inf for each in panel.series)


def test_a_comparison_says_of_how_many_series_it_is(tmp_path):
    write_panel(tmp_path / 'run')
    summary, = compare(find_runs([tmp_path]))
    assert summary.data == 'a generated series, 4 series, 8 steps ahead'
    assert summary.notes == []
