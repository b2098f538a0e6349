"""Runs of several kinds and tasks: one summary for each that can be compared."""

import numpy as np
import pytest
from forecast_folders import BASELINES, write_forecaster
from run_folders import record, test_record, write_run

from amlnn.errors import DataError
from amlnn.records import OWN, read_test, write_record
from amlnn.report.page import write_report
from amlnn.results.store import find_runs
from amlnn.results.summary import compare, summarise


def made_of(horizon=8, **values):
    return 'model = dict(hidden={hidden})\ntrain_dataloader = dict(dataset=dict(horizon={horizon}' \
        '))\nrandomness = dict(seed={seed})\n'.format(horizon=horizon, **{
            'hidden': 8, 'seed': 0, **values})


def test_classifiers_and_forecasters_are_compared_apart(tmp_path):
    write_run(tmp_path / 'a' / 'run', record('flowers'))
    write_forecaster(tmp_path / 'b' / 'run')
    first, second = compare(find_runs([tmp_path]))
    assert (first.kind, second.kind) == ('classification', 'forecasting')
    assert second.metric == 'forecast/mse' and second.split == 'test'
    with pytest.raises(DataError, match='different kinds'):
        summarise(find_runs([tmp_path]))


@pytest.mark.parametrize('changes', [{'data_manifest_hash': 'other'}, {'horizon': 12}])
def test_another_series_or_horizon_is_another_task(tmp_path, changes):
    write_forecaster(tmp_path / 'a' / 'run', 'one')
    write_forecaster(tmp_path / 'b' / 'run', 'two')
    write_forecaster(tmp_path / 'c' / 'run', 'three', **changes)
    assert [[row.name for row in each.rows] for each in compare(find_runs([tmp_path]))] == \
        [['one', 'two'], ['three']]


def test_seeds_of_a_forecaster_are_one_row_with_mean_and_spread(tmp_path):
    for seed, mse in enumerate((0.3, 0.4, 0.8)):
        write_forecaster(tmp_path / f'run{seed}', seed=seed, mse=mse)
    row, = compare(find_runs([tmp_path]))[0].rows
    assert row.value == pytest.approx(0.5)
    assert row.sd == pytest.approx(0.07 ** 0.5)  # (0.04 + 0.01 + 0.09) / 2
    assert row.over_seeds('forecast/mse_original', 'test') == pytest.approx((2.0, 4 * 0.07 ** 0.5))
    assert row.over_seeds('forecast/mase', 'test') is None
    assert row.low is None and row.difference is None


def test_simple_methods_stand_below_once_in_both_units(tmp_path):
    for name in ('one', 'two'):
        write_forecaster(tmp_path / name / 'run', name)
    summary, = compare(find_runs([tmp_path]))
    assert [row.name for row in summary.simple] == list(BASELINES)
    last = summary.simple[1]
    # As the record says.
    assert last.metrics == pytest.approx({
        'forecast/mse': 0.8, 'forecast/mae': 0.8 ** 0.5, 'forecast/mse_original': 3.2,
        'forecast/mae_original': 2 * 0.8 ** 0.5})
    assert last.samples == 93


def sampled(folder, windows=10, own=0.3, **methods):
    """Put rows on a sample into the record of a run."""
    record = read_test(folder / 'test_test.json')
    record.sampled_baselines = {name: {'forecast/mse': value, 'windows': windows}
                                for name, value in {OWN: own, **methods}.items()}
    write_record(folder / 'test_test.json', record)


def test_rows_on_a_sample_stand_apart_beside_what_each_configuration_reaches_on_it(tmp_path):
    for seed, own in enumerate((0.2, 0.4)):
        sampled(write_forecaster(tmp_path / f'gru{seed}', 'gru', seed=seed), own=own, ETS=0.01)
    sampled(write_forecaster(tmp_path / 'lstm', 'lstm'), windows=20, ETS=0.02)
    summary, = compare(find_runs([tmp_path]))
    *others, own, ets, other_own, other_ets = summary.simple
    assert [row.name for row in others] == list(BASELINES)
    assert (own.name, own.samples) == ('gru (10 windows)', 10)
    assert own.metrics == pytest.approx({'forecast/mse': 0.3})  # the mean over its seeds
    assert ets.name == 'ETS (10 windows)' and ets.metrics == {'forecast/mse': 0.01}
    assert (other_own.name, other_ets.name) == ('lstm (20 windows)', 'ETS (20 windows)')
    note = next(note for note in summary.notes if '"(10 windows)"' in note)
    assert '10 of 93 windows' in note and 'Not known on these windows: lstm' in note


def test_the_same_slow_row_of_two_runs_is_shown_once(tmp_path):
    for name in ('one', 'two'):
        sampled(write_forecaster(tmp_path / name / 'run', name), ETS=0.01)
    summary, = compare(find_runs([tmp_path]))
    assert [row.name for row in summary.simple[-3:]] == \
        ['one (10 windows)', 'two (10 windows)', 'ETS (10 windows)']
    assert not any('Not known' in note for note in summary.notes)


def test_a_row_on_a_sample_is_never_the_best_simple_method(tmp_path):
    sampled(write_forecaster(tmp_path / 'run', 'gru'), ETS=1e-4)
    runs = find_runs([tmp_path])
    text = write_report(runs, 'report').read_text()
    assert 'ETS (10 windows)' in text and 'the best simple method, ridge' in text


def test_simple_methods_that_depend_on_the_look_back_are_told_apart(tmp_path):
    write_forecaster(tmp_path / 'one' / 'run', 'one')
    folder = write_forecaster(tmp_path / 'two' / 'run', 'two')
    other = {**BASELINES, 'ridge': {'forecast/mse': 0.24, 'forecast/mae': 0.3, 'windows': 93}}
    write_record(folder / 'test_test.json', test_record(
        metrics={'forecast/mse': 0.3}, samples=93, baselines=other))
    names = [row.name for row in compare(find_runs([tmp_path]))[0].simple]
    assert names == ['train mean', 'repeat last', 'ridge (windows of one)',
                     'ridge (windows of two)', 'noise-free truth']


def test_without_an_evaluation_the_best_epoch_counts_and_a_note_says_what_is_missing(tmp_path):
    write_forecaster(tmp_path / 'run', tested=False)
    summary, = compare(find_runs([tmp_path]))
    assert summary.split == 'val' and summary.rows[0].value == pytest.approx(1 / 3)
    assert summary.simple == []
    assert any('tools/test.py' in note for note in summary.notes)
    assert any('same validation windows' in note for note in summary.notes)


def test_copies_of_test_windows_are_noted(tmp_path):
    folder = write_forecaster(tmp_path / 'run')
    write_record(folder / 'test_test.json', test_record(
        metrics={'forecast/mse': 0.3}, samples=146, repeated_windows=146))
    assert any('146 of 146 windows of test occur in the training part' in note
               for note in compare(find_runs([tmp_path]))[0].notes)


def test_forecasts_that_disagree_with_the_record_are_noted(tmp_path):
    write_forecaster(tmp_path / 'one' / 'run', 'one')
    write_forecaster(tmp_path / 'two' / 'run', 'two', mse=7.0)
    notes = [note for note in compare(find_runs([tmp_path]))[0].notes if 'npz' in note]
    assert len(notes) == 1 and notes[0].startswith('two/run') and '7' in notes[0]


def test_damaged_forecasts_are_noted(tmp_path):
    folder = write_forecaster(tmp_path / 'run')
    np.savez(folder / 'predictions_test.npz', id=np.array(['0']))
    assert any('has no array named' in note for note in compare(find_runs([tmp_path]))[0].notes)


def test_the_baseline_is_looked_for_in_every_task(tmp_path):
    write_run(tmp_path / 'a' / 'run', record('image', best_value=90.0))
    for name in ('one', 'two'):
        write_forecaster(tmp_path / name / 'run', name, mse={'one': 0.5, 'two': 0.3}[name])
    runs = find_runs([tmp_path])
    images, forecasts = compare(runs, baseline=runs[1])
    assert forecasts.baseline.name == 'one'
    assert forecasts.rows[1].difference.value == pytest.approx(-0.2)
    assert images.baseline.name == 'image'
    other, = find_runs([write_forecaster(tmp_path / 'elsewhere' / 'run', 'other')])
    with pytest.raises(DataError, match='not among'):
        compare(runs, baseline=other)


def test_configs_of_one_name_are_told_apart_by_what_differs(tmp_path):
    for hidden in (8, 16):
        write_forecaster(tmp_path / f'run{hidden:02d}', config=made_of(hidden=hidden))
    assert [row.name for row in compare(find_runs([tmp_path]))[0].rows] == \
        ['gru hidden=8', 'gru hidden=16']


def test_the_task_is_said_in_words(tmp_path):
    write_forecaster(tmp_path / 'run', data_root='/data/ETTh1.csv')
    assert compare(find_runs([tmp_path]))[0].data == 'ETTh1.csv, 8 steps ahead'
