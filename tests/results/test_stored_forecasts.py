"""Stored forecasts: read, checked, and what is computed from them."""

import numpy as np
import pytest
from forecast_folders import HORIZON, arrays, write_forecaster

from amlnn.errors import DataError
from amlnn.formulas import forecast_errors
from amlnn.formulas.adaptive_conformal import AdaptiveConformal
from amlnn.formulas.conformal import Conformal, fit_conformal
from amlnn.formulas.training_rows import TrainingRows
from amlnn.models.series.baselines import RepeatLast
from amlnn.results.forecasting import (
    chosen_windows,
    error_by_step,
    find_intervals,
    held_by_step,
    reference_errors,
    window_times,
)
from amlnn.results.forecasts import read_forecasts
from amlnn.results.store import find_runs


@pytest.fixture
def stored(tmp_path):
    def write(**changes):
        options = {name: changes.pop(name) for name in ('columns', 'horizon', 'stride', 'rows')
                   if isinstance(changes.get(name), int)}
        np.savez(tmp_path / 'f.npz', **{**arrays(**options), **changes})
        return read_forecasts(tmp_path / 'f.npz')
    return write


def test_the_error_is_that_of_the_formulas(stored):
    known = stored(columns=2)
    assert known.mse == pytest.approx(forecast_errors.mse(known.targets, known.forecasts))
    np.testing.assert_allclose(
        error_by_step(known),
        forecast_errors.error_by_step(known.targets, known.forecasts), rtol=1e-6)


def test_a_missing_target_does_not_count(stored):
    plain = arrays()
    observed = np.ones(plain['target'].shape, dtype=bool)
    observed[::3, 2] = False
    wrong = np.where(observed, plain['forecast'], 1e6).astype(np.float32)
    known = stored(observed=observed, forecast=wrong)
    expected = forecast_errors.error_by_step(known.targets, known.forecasts, observed)
    np.testing.assert_allclose(error_by_step(known), expected, rtol=1e-6)
    assert known.mse < 1


@pytest.mark.parametrize('stride', [1, 3, 7])
def test_overlapping_windows_give_the_series_back(stored, stride):
    known = stored(stride=stride)
    assert known.stride == stride
    for window in (0, 5):
        row = window * stride
        np.testing.assert_array_equal(known.series[row:row + stride],
                                      known.targets[window, :stride])


def test_windows_that_do_not_overlap_tell_no_stride(stored):
    known = stored(stride=HORIZON + 2)
    assert known.stride is None and known.series is None
    assert list(reference_errors(known)) == ['train mean']


@pytest.mark.parametrize('stride', [1, 3])
def test_references_are_those_of_the_baselines(stored, stride):
    known = stored(columns=2, stride=stride)
    inputs = np.stack([known.series[:window * stride][-1:] for window
                       in range(1, len(known.ids))])
    repeated = RepeatLast().fit(TrainingRows.of_one(known.series), 1, HORIZON, None).predict(inputs)
    found = reference_errors(known)
    np.testing.assert_allclose(
        found['repeat last'], forecast_errors.error_by_step(known.targets[1:], repeated),
        rtol=1e-6)
    np.testing.assert_allclose(
        found['train mean'], forecast_errors.error_by_step(
            known.targets, np.zeros(known.targets.shape)), rtol=1e-6)


def test_unscaled_values_have_no_train_mean(stored):
    assert 'train mean' not in reference_errors(stored(mean=np.zeros(1), deviation=np.ones(1)))


def test_windows_are_chosen_by_the_rank_of_their_error(stored):
    known = stored(rows=1000 + HORIZON - 1)
    errors = np.square(known.forecasts.astype(float) - known.targets)
    ranks = errors.mean(axis=(1, 2)).argsort().argsort()
    assert [int(ranks[each.index]) for each in chosen_windows(known)] == [500, 100, 900, 990]
    assert 'half' in chosen_windows(known)[0].reason


def test_few_windows_are_each_chosen_once(stored):
    known = stored(rows=HORIZON + 1)
    indices = [each.index for each in chosen_windows(known)]
    assert len(indices) == len(set(indices)) <= 2 and indices


def test_ids_are_times_or_rows(stored):
    assert window_times(stored())[1] == np.datetime64('2020-01-01T01:00:00')
    assert window_times(stored(id=np.arange(93).astype(str))) is None


def followed(run, ends=(None, None)):
    """Bounds of the test part from a calibration of one's own: validation first, then it."""
    validation, shown = run.forecasts('val'), run.forecasts('test')
    begin = [Conformal(np.full(shown.targets.shape[1:], 9.0), level, end)
             for level, end in zip((0.8, 0.95), ends, strict=True)]
    calibration = AdaptiveConformal(begin, until=len(validation.ids))
    calibration.bounds(validation.forecasts, validation.targets, quantiles=validation.quantiles)
    calibration.flush(1)
    return calibration.bounds(shown.forecasts, shown.targets, quantiles=shown.quantiles)


def test_intervals_go_on_from_the_errors_on_the_validation_part(tmp_path):
    run, = find_runs([write_forecaster(tmp_path / 'run', columns=2)])
    found = find_intervals(run, 'test')
    assert [each.level for each in found] == [0.8, 0.95]
    for each, low, high in zip(found, *followed(run), strict=True):
        np.testing.assert_allclose(each.low, low, rtol=1e-5)
        np.testing.assert_allclose(each.high, high, rtol=1e-5)
    shown = run.forecasts('test')
    inside = (found[0].low <= shown.targets) & (shown.targets <= found[0].high)
    np.testing.assert_allclose(held_by_step(shown, found[0]), inside.mean(axis=(0, 2)))


def test_quantiles_are_widened_as_the_checkpoint_widens_them(tmp_path):
    folder = write_forecaster(tmp_path / 'run')
    for split in ('val', 'test'):
        plain = dict(np.load(folder / f'predictions_{split}.npz'))
        levels = np.array([0.1, 0.5, 0.9])
        quantiles = plain['forecast'][..., None] + np.array([-0.1, 0, 0.2], dtype=np.float32)
        np.savez(folder / f'predictions_{split}.npz', **plain, quantiles=quantiles, levels=levels)
    run, = find_runs([folder])
    low, high = followed(run, ((0, 2), None))
    first = find_intervals(run, 'test')[0]
    np.testing.assert_allclose(first.low, low[0], rtol=1e-5)
    np.testing.assert_allclose(first.high, high[0], rtol=1e-5)
    middle = (first.low + first.high) / 2 - run.forecasts('test').forecasts
    np.testing.assert_allclose(middle, 0.05, atol=1e-4)  # of the quantiles, not of the point


def test_the_validation_part_has_its_margins_until_its_own_errors_are_known(tmp_path):
    run, = find_runs([write_forecaster(tmp_path / 'run')])
    shown = run.forecasts('val')
    first = find_intervals(run, 'val')[0]
    margin = fit_conformal(shown.targets, shown.forecasts, level=0.8).margin
    width = first.high - shown.forecasts
    np.testing.assert_allclose(width[:40], np.broadcast_to(margin, (40, *margin.shape)), rtol=1e-4)
    assert not np.allclose(width[-1], margin, rtol=1e-4)


def test_there_are_no_intervals_from_another_epoch_or_too_few_windows(tmp_path):
    folder = write_forecaster(tmp_path / 'run', best_epoch=2)
    assert find_intervals(find_runs([folder])[0], 'test') == []
    folder = write_forecaster(tmp_path / 'short')
    np.savez(folder / 'predictions_val.npz', **arrays(rows=HORIZON + 9))  # 10 windows
    eighty, most = find_intervals(find_runs([folder])[0], 'test')
    assert not np.isnan(eighty.low).any()  # 95 % takes errors of the test part too
    assert np.isnan(most.low[:30]).all() and not np.isnan(most.low[-1]).any()
    (folder / 'predictions_val.npz').unlink()
    assert find_intervals(find_runs([folder])[0], 'test') == []


@pytest.mark.parametrize(('changes', 'message'), [
    ({'forecast': np.zeros((93, 8, 2), np.float32)}, 'forecast has the shape'),
    ({'mean': np.zeros(3)}, 'mean has the shape'),
    ({'target': np.full((93, 8, 1), np.nan, np.float32)}, 'target holds values'),
    ({'target': np.zeros((93, 8), np.float32)}, 'want \\[N, P, C\\]'),
    ({'id': np.arange(93)}, 'must be strings'),
    ({'levels': np.array([0.5])}, 'come together'),
    ({'observed': np.ones((93, 8, 1))}, 'observed must be bool'),
])
def test_arrays_that_do_not_fit_are_refused(stored, changes, message):
    with pytest.raises(DataError, match=message) as caught:
        stored(**changes)
    assert 'tools/test.py' in caught.value.hint


def test_a_missing_array_is_named(tmp_path):
    np.savez(tmp_path / 'f.npz', id=np.array(['0']))
    with pytest.raises(DataError, match='columns, deviation, forecast, mean, target'):
        read_forecasts(tmp_path / 'f.npz')
