"""The generator: each part as specified, and no part disturbs another."""

import numpy as np
import pytest
from mmengine.registry import DATASETS

from amlnn.data.series.generate import PRESETS, GeneratedSeries
from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError

QUIET = dict(length=400, noise=0.0)


def values(**arguments):
    return GeneratedSeries(**arguments).read().values


def parts(**arguments):
    return GeneratedSeries(**arguments).components()


def test_the_same_seed_gives_the_same_series_and_another_another():
    first = GeneratedSeries(preset='all_parts', seed=3)
    np.testing.assert_array_equal(first.read().values, first.read().values)
    np.testing.assert_array_equal(first.read().values, values(preset='all_parts', seed=3))
    assert not np.array_equal(first.read().truth,
                              GeneratedSeries(preset='all_parts', seed=4).read().truth)


def test_the_global_random_state_neither_matters_nor_changes():
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first = values(length=50)
    assert np.array_equal(np.random.get_state()[1], state)
    np.random.seed(1)
    assert np.array_equal(values(length=50), first)


def test_a_series_more_changes_none_of_the_others():
    two, three = (values(preset='hourly', count=count) for count in (2, 3))
    assert np.array_equal(two, three[:, :2])
    assert np.abs(np.corrcoef(np.diff(three, axis=0).T)[0, 1]) < 0.9


@pytest.mark.parametrize('change', [
    dict(level=3.0), dict(slope=0.1), dict(change_points=7), dict(change_scale=1.0),
    dict(seasons=[(12, 3.0)]), dict(noise=2.0), dict(ar=(0.9,)), dict(level_shifts=5),
    dict(shift_scale=1.0), dict(outliers=0.1), dict(outlier_scale=1.0), dict(gaps=9),
    dict(gap_length=3)], ids=lambda change: next(iter(change)))
def test_every_argument_changes_its_own_part_and_no_other(change):
    part = {'level': 'trend', 'slope': 'trend', 'change_points': 'trend', 'change_scale': 'trend',
            'seasons': 'seasons', 'noise': 'noise', 'ar': 'noise', 'level_shifts': 'shifts',
            'shift_scale': 'shifts', 'outliers': 'outliers', 'outlier_scale': 'outliers',
            'gaps': 'gaps', 'gap_length': 'gaps'}[next(iter(change))]
    before, after = parts(preset='all_parts'), parts(preset='all_parts', **change)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {part}


def test_the_values_are_the_sum_of_the_parts_and_the_truth_is_free_of_noise():
    source = GeneratedSeries(preset='all_parts', count=2)
    series, made = source.read(), source.components()
    truth = made['trend'] + made['seasons'] + made['shifts']
    np.testing.assert_allclose(series.truth, truth)
    np.testing.assert_array_equal(series.observed, ~made['gaps'])
    total = truth + made['noise'] + made['outliers']
    np.testing.assert_allclose(series.values[series.observed], total[series.observed])
    assert np.isnan(series.values[~series.observed]).all()


def test_a_plain_trend_is_a_line():
    np.testing.assert_allclose(values(**QUIET, level=2, slope=0.5).ravel(),
                               2 + 0.5 * np.arange(400))


def test_change_points_are_where_the_slope_changes():
    trend = parts(**QUIET, change_points=5, change_scale=2.0)['trend'].ravel()
    assert (np.abs(np.diff(trend, 2)) > 1e-9).sum() == pytest.approx(5, abs=1)
    steps = [np.diff(parts(length=3, change_points=2, change_scale=2.0, seed=seed)['trend'].ravel())
             for seed in range(2000)]
    assert np.std([step[0] for step in steps]) == pytest.approx(2.0, rel=0.1)


def test_a_season_has_its_period_amplitude_and_harmonics():
    wave = values(**QUIET, seasons=[(20, 3.0)]).ravel()
    np.testing.assert_allclose(wave[20:], wave[:-20], atol=1e-9)
    assert np.sqrt(2 * wave.var()) == pytest.approx(3.0)
    spectrum = np.abs(np.fft.rfft(values(**QUIET, seasons=[(20, 6.0, 3), (8, 1.0)]).ravel())) / 200
    peaks = np.flatnonzero(spectrum > 1e-6)
    assert peaks.tolist() == [20, 40, 50, 60]
    np.testing.assert_allclose(spectrum[peaks], [6, 3, 1, 2])


def test_white_noise_has_its_deviation():
    assert values(length=20000, noise=2.0).std() == pytest.approx(2.0, rel=0.03)


def test_autoregressive_noise_has_the_correlations_of_theory_from_the_first_row():
    noise = values(length=40000, noise=1.0, ar=(0.5, 0.2)).ravel()
    # Yule-Walker: r1 = a1 / (1 - a2), r2 = a1 r1 + a2, variance = 1 / (1 - a1 r1 - a2 r2).
    r1 = 0.5 / 0.8
    r2 = 0.5 * r1 + 0.2
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(r1, abs=0.02)
    assert np.corrcoef(noise[2:], noise[:-2])[0, 1] == pytest.approx(r2, abs=0.02)
    assert noise.var() == pytest.approx(1 / (1 - 0.5 * r1 - 0.2 * r2), rel=0.05)
    first = [values(length=1, ar=(0.9,), seed=seed).item() for seed in range(1000)]
    assert np.var(first) == pytest.approx(1 / (1 - 0.81), rel=0.15)


def test_shifts_outliers_and_gaps_occur_as_often_as_asked():
    made = parts(length=20000, level_shifts=4, shift_scale=3.0, outliers=0.02, outlier_scale=7.0,
                 gaps=1, gap_length=30)
    assert np.count_nonzero(np.diff(made['shifts'].ravel())) == 4
    hit = made['outliers'] != 0
    assert hit.mean() == pytest.approx(0.02, rel=0.2)
    assert made['outliers'][hit].std() == pytest.approx(7.0, rel=0.15)
    assert made['gaps'].sum() == 30 == np.ptp(np.flatnonzero(made['gaps'])) + 1


def test_times_follow_start_and_step_also_when_appended():
    series = GeneratedSeries(length=3, append=2, start='2021-03-01T12:00', step_seconds=900).read()
    assert series.times[0] == np.datetime64('2021-03-01T12:00:00')
    assert set(np.diff(series.times).astype(int)) == {900} and len(series.times) == 6


@pytest.mark.parametrize(('append', 'windows'), [(1, 351), (2, 716), (4, 1446), (8, 2906)])
def test_study_b_appended_to_itself_has_the_lengths_reported(append, windows):
    whole = SeriesWindows(GeneratedSeries(preset='study_b', append=append), 14, 1, 'train',
                          ratios=(1, 0, 0))
    assert len(whole) == windows
    series = GeneratedSeries(preset='study_b', append=append).read()
    for copy in range(append):
        assert np.array_equal(series.values[365 * copy:365 * (copy + 1)], series.values[:365])


def test_copies_of_the_test_part_are_found_in_study_b_and_not_in_its_sound_twin():
    config = dict(type='GeneratedSeries', preset='study_b', append=8)
    repeated = SeriesWindows(config, 14, 1, 'test').overlap()
    assert repeated.count == repeated.windows == 584
    fresh = SeriesWindows(dict(config, append=1, length=2920), 14, 1, 'test').overlap()
    assert (fresh.count, fresh.windows) == (0, 584)


def test_an_oracle_errs_by_the_noise_alone():
    windows = SeriesWindows(GeneratedSeries(preset='study_b', length=2920), 14, 1, 'test')
    truth = windows.target_truth(np.arange(len(windows)))
    error = truth - windows.__getitems__(np.arange(len(windows)))['targets'].numpy()
    assert (error ** 2).mean() * windows.scaler.deviation.item() ** 2 == pytest.approx(1, rel=0.15)


def test_the_noise_of_study_c_is_one_percent_of_the_range():
    for length in (1000, 3000):
        series = GeneratedSeries(preset='study_c', length=length).read()
        assert len(series.values) == length
    series = GeneratedSeries(preset='study_c').read()
    share = (series.values - series.truth).std() / np.ptp(series.values)
    assert share == pytest.approx(0.01, rel=0.3)


def test_gaps_become_a_mask_of_the_windows():
    windows = SeriesWindows(GeneratedSeries(preset='all_parts'), 48, 24, 'train')
    assert not windows.__getitems__(np.arange(len(windows)))['observed'].all()


@pytest.mark.parametrize('preset', PRESETS)
def test_every_preset_is_built_from_a_config_and_an_argument_goes_before_it(preset):
    source = DATASETS.build(dict(type='GeneratedSeries', preset=preset, length=77, level=1000.0))
    series = source.read()
    assert len(series.values) == 77
    assert np.nanmean(series.values) > 900


@pytest.mark.parametrize(('arguments', 'pieces'), [
    ({}, ['length', 'preset']), (dict(preset='studyb'), ['`studyb`', 'did you mean `study_b`']),
    (dict(length=0), ['length=0']), (dict(length=2.5), ['length=2.5']),
    (dict(length=9, append=0), ['append=0']), (dict(length=9, count=0), ['count=0']),
    (dict(length=9, seed=-1), ['seed=-1']), (dict(length=9, noise=-1.0), ['noise=-1.0']),
    (dict(length=9, outliers=1.5), ['outliers=1.5', 'share']),
    (dict(length=9, change_points=9), ['change_points=9', 'length 9', '8']),
    (dict(length=9, level_shifts=9), ['level_shifts=9']),
    (dict(length=9, gaps=1), ['gap_length=10', '9']),
    (dict(length=9, seasons=(24, 6.0)), ['seasons', '24']),
    (dict(length=9, seasons=[(0, 6.0)]), ['(0, 6.0)']),
    (dict(length=9, ar=(1.0,)), ['ar=(1.0,)']), (dict(length=9, ar=(0.7, 0.4)), ['0.7']),
    (dict(length=9, start='noon'), ["'noon'"]), (dict(length=9, step_seconds=0), ['step_seconds']),
])
def test_what_no_series_can_have_is_refused(arguments, pieces):
    with pytest.raises(DataError) as caught:
        GeneratedSeries(**arguments)
    assert caught.value.hint
    for piece in pieces:
        assert piece in caught.value.message + '\n' + caught.value.hint
