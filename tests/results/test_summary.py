"""The rows of a comparison: which runs count, with what result, and how they differ."""

import json

import numpy as np
import pytest
from generated import ROOT
from run_folders import epoch, record, test_record, write_predictions, write_run

from amlnn.errors import DataError
from amlnn.formulas.proportions import newcombe, paired, paired_bootstrap, wilson
from amlnn.records import write_record
from amlnn.results.kinds import result_of
from amlnn.results.store import find_runs
from amlnn.results.summary import summarise


@pytest.fixture
def add(tmp_path):
    """Make a run; returns its folder."""
    def add_run(name, seed=0, config=None, predictions=None, split='val', **values):
        number = len(list(tmp_path.glob('work_dirs/*/*')))
        folder = tmp_path / 'work_dirs' / name / f'run{number:02d}'
        values.setdefault('started', f'2025-03-01T10:{number:02d}:00Z')
        config = config or f'model = {name!r}\nrandomness = dict(seed={seed})\n'
        write_run(folder, record(name, seed=seed, **values), config)
        if predictions is not None:
            write_predictions(folder, split, **{'seed': seed, **predictions})
        return folder
    return add_run


def correct(folder, split='val'):
    """[N] bool, in the order of the ids."""
    with np.load(folder / f'predictions_{split}.npz') as stored:
        return (stored['prob'].argmax(axis=1) == stored['label'])[np.argsort(stored['id'])]


def test_a_row_holds_what_the_record_says(add):
    rows = [epoch(1, train_seconds=10.0, samples_per_second=100.0),
            epoch(2, train_seconds=30.0, samples_per_second=200.0)]
    row, = summarise(find_runs([add('one', rows=rows, total_seconds=45.0)])).rows
    assert row.name == 'one'
    assert row.record.frozen_stages == 3
    assert (row.record.trainable_parameters, row.record.total_parameters) == (14974981, 23518277)
    assert row.seconds == 45.0
    assert row.samples_per_second == pytest.approx((10 * 100 + 30 * 200) / 40)
    assert row.difference is None and row.status == 'done'


def test_the_result_comes_from_predictions_first(add):
    folder = add('one', predictions={'n': 200, 'accuracy': 0.8})
    run, = find_runs([folder])
    result = result_of(run, 'val')
    assert result.source == 'predictions' and result.samples == 200
    assert result.value == pytest.approx(100 * correct(folder).mean())


def test_the_result_comes_from_the_test_record_next(add):
    folder = add('one')
    write_record(folder / 'test_test.json', test_record(samples=40, metrics={'accuracy/top1': 85}))
    run, = find_runs([folder])
    assert result_of(run, 'test') == result_of(run, 'test').__class__(
        'accuracy/top1', 85, 40, 'test record')


def test_without_either_the_result_is_the_best_epochs(add):
    run, = find_runs([add('one', epochs=4, best_epoch=2, best_value=75.0)])
    result = result_of(run, 'val')
    assert (result.value, result.samples, result.source) == (75.0, 568, 'run record')
    assert result_of(run, 'test') is None


def test_another_monitor_does_not_change_which_metric_is_shown(add):
    run, = find_runs([add('one', epochs=4, monitor='loss', monitor_rule='less', best_epoch=2,
                          best_value=0.5)])
    assert result_of(run, 'val').value == 75.0  # top-1 of epoch 2


def test_the_interval_is_wilsons_in_percent(add):
    folder = add('one', predictions={'n': 200, 'accuracy': 0.8})
    row, = summarise(find_runs([folder])).rows
    expected = wilson(correct(folder).mean(), 200)
    assert (row.low, row.high) == pytest.approx((100 * expected[0], 100 * expected[1]))


def test_seeds_of_one_config_are_one_row_with_mean_and_spread(add, tmp_path):
    for seed, value in enumerate((90.0, 92.0, 97.0)):
        add('one', seed=seed, best_value=value)
    row, = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert len(row.group.runs) == 3
    assert row.value == pytest.approx(93.0)
    assert row.sd == pytest.approx(13 ** 0.5)  # ((-3)² + (-1)² + 4²) / 2
    # More seeds see no more images.
    assert (row.low, row.high) == pytest.approx([100 * limit for limit in wilson(0.93, 568)])


@pytest.mark.parametrize('config', [
    'seed = {}\nlr = 1\n', 'randomness = dict(seed={}, deterministic=False)\n',
    "data = dict(sampler=dict(seed={}), more={{'seed': {}, 'n': 1}})\n"])
def test_the_seed_is_not_part_of_the_config_wherever_it_stands(add, tmp_path, config):
    for seed in (1, 2):
        add('one', seed=seed, config=config.format(seed, seed))
    row, = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert len(row.group.runs) == 2


def test_seeds_on_machines_that_load_and_keep_data_otherwise_are_one_row(add, tmp_path):
    for seed, workers, cache in ((0, 0, "'auto'"), (1, 2, 'True')):
        add('one', seed=seed, config=f"""work_dir = 'work_dirs/{seed}'
train_dataloader = dict(num_workers={workers}, persistent_workers={workers > 0})
execution = dict(trunk_cache={cache})
log_level = '{"INFO" if seed else "ERROR"}'
randomness = dict(seed={seed})
""")
    row, = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert len(row.group.runs) == 2


def test_a_run_that_began_with_a_longer_training_in_view_is_another_row(add, tmp_path):
    for seed, epochs in ((0, 10), (1, 20)):
        add('one', seed=seed, config=f'train_cfg = dict(max_epochs={epochs})\n')
    rows = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert [row.name for row in rows] == ['one max_epochs=10', 'one max_epochs=20']


def test_the_place_of_data_whose_hash_is_known_neither_parts_nor_names_rows(add, tmp_path):
    for seed, root, rate in ((0, 'here', 0.1), (1, 'there', 0.1), (0, 'here', 0.2)):
        options = [f'{part}_dataloader.dataset.data_root={root}' for part in ('train', 'val')]
        data = '\n'.join(f"{part}_dataloader = dict(dataset=dict(data_root='{root}'))"
                         for part in ('train', 'val'))
        add('one', seed=seed, config=f'{data}\noptim_wrapper = dict(optimizer=dict(lr={rate}))\n',
            command=['python', 'tools/train.py', 'c.py', '--cfg-options', *options,
                     f'optim_wrapper.optimizer.lr={rate}', 'train_dataloader.num_workers=0'])
    rows = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert [(row.name, len(row.group.runs)) for row in rows] == [
        ('one lr=0.1', 2), ('one lr=0.2', 1)]


def test_the_place_of_data_without_a_hash_parts_rows(add, tmp_path):
    for seed, root in ((0, 'here'), (1, 'there')):
        add('one', seed=seed, data_manifest_hash=None,
            config=f"train_dataloader = dict(dataset=dict(data_root='{root}'))\n")
    assert len(summarise(find_runs([tmp_path / 'work_dirs'])).rows) == 2


def test_runs_of_one_name_and_other_configs_are_told_apart_by_their_overrides(add, tmp_path):
    for rate in ('0.01', '0.001'):
        add('one', config=f'lr = {rate}\n', command=[
            'python', 'tools/train.py', 'c.py', '--cfg-options',
            f'optim_wrapper.optimizer.lr={rate}', '--seed', '0'])
    rows = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert [row.name for row in rows] == ['one lr=0.01', 'one lr=0.001']


def test_runs_without_overrides_are_told_apart_by_what_differs_in_their_configs(add, tmp_path):
    for append in (1, 2):
        add('one', config=f"data = dict(source=dict(append={append}, preset='b'))\nseed = 3\n")
    rows = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert [row.name for row in rows] == ['one append=1', 'one append=2']


def test_runs_that_nothing_else_tells_apart_are_named_by_their_folder(add, tmp_path):
    add('one', data_manifest_hash='a')
    add('one', data_manifest_hash='b')
    rows = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert [row.name for row in rows] == ['one run00', 'one run01']


def test_runs_on_other_data_are_other_rows(add, tmp_path):
    add('one')
    add('one', data_manifest_hash='e' * 64)
    assert len(summarise(find_runs([tmp_path / 'work_dirs'])).rows) == 2


def test_without_a_config_file_the_hash_decides(add, tmp_path):
    for seed, config_hash in ((0, 'a'), (1, 'a'), (2, 'b')):
        (add('one', seed=seed, config_hash=config_hash) / 'config.py').unlink()
    rows = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert [len(row.group.runs) for row in rows] == [2, 1]


def test_a_seed_run_again_counts_once_and_the_later_run_is_it(add, tmp_path):
    add('one', best_value=50.0)
    add('one', best_value=60.0)
    summary = summarise(find_runs([tmp_path / 'work_dirs']))
    row, = summary.rows
    assert row.value == 60.0 and row.sd is None
    assert any('run00 is left out' in note and 'run again' in note for note in summary.notes)


def test_unfinished_runs_count_only_where_none_finished(add, tmp_path):
    add('one', seed=0, best_value=90.0)
    add('one', seed=1, best_value=10.0, status='interrupted')
    add('two', seed=0, best_value=70.0, status='failed')
    one, two = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    assert one.value == 90.0 and one.status == 'done'
    assert two.value == 70.0 and two.status == 'failed'


def test_differences_are_paired_by_image_whatever_their_order(add):
    first = add('one', predictions={'n': 300, 'accuracy': 0.8, 'seed': 1})
    second = add('two', predictions={'n': 300, 'accuracy': 0.9, 'seed': 2})
    expected = paired(correct(second), correct(first))
    with np.load(second / 'predictions_val.npz') as archive:
        stored = dict(archive)
    order = np.random.default_rng(0).permutation(300)
    for name in ('id', 'label', 'prob'):
        stored[name] = stored[name][order]
    np.savez(second / 'predictions_val.npz', **stored)
    _, row = summarise(find_runs([first, second])).rows
    assert row.difference.method == 'paired'
    assert row.difference.value == pytest.approx(
        100 * (correct(second).mean() - correct(first).mean()))
    assert (row.difference.low, row.difference.high) == pytest.approx(
        (100 * expected[0], 100 * expected[1]))


def test_differences_over_seeds_come_from_the_bootstrap(add, tmp_path):
    folders = [add(name, seed=seed, predictions={'n': 150, 'accuracy': accuracy})
               for name, accuracy in (('one', 0.8), ('two', 0.9)) for seed in (0, 1)]
    _, row = summarise(find_runs([tmp_path / 'work_dirs'])).rows
    right = [correct(folder) for folder in folders]
    expected = paired_bootstrap(np.stack(right[2:]), np.stack(right[:2]))
    assert row.difference.method == 'paired over seeds'
    assert (row.difference.low, row.difference.high) == pytest.approx(
        (100 * expected[0], 100 * expected[1]))


@pytest.mark.parametrize('other', [None, {'n': 301, 'accuracy': 0.9}])
def test_differences_without_the_same_images_are_unpaired(add, other):
    first = add('one', predictions={'n': 300, 'accuracy': 0.8})
    second = add('two', predictions=other, best_value=90.0, samples={'val': 301})
    reference, row = summarise(find_runs([first, second])).rows
    expected = newcombe(row.value / 100, 301, reference.value / 100, 300)
    assert row.difference.method == 'unpaired'
    assert (row.difference.low, row.difference.high) == pytest.approx(
        (100 * expected[0], 100 * expected[1]))


def test_repeated_ids_are_not_paired(add):
    folders = [add(name, predictions={'n': 50}) for name in ('one', 'two')]
    for folder in folders:
        with np.load(folder / 'predictions_val.npz') as archive:
            stored = dict(archive)
        np.savez(folder / 'predictions_val.npz', **{**stored, 'id': np.full(50, 'same.jpg')})
    assert summarise(find_runs(folders)).rows[1].difference.method == 'unpaired'


def test_the_baseline_can_be_chosen(add):
    first, second = add('one', best_value=80.0), add('two', best_value=90.0)
    runs = find_runs([first, second])
    summary = summarise(runs, baseline=runs[1])
    assert summary.baseline.name == 'two'
    assert summary.rows[0].difference.value == pytest.approx(-10.0)
    assert summary.rows[1].difference is None


def test_the_default_baseline_is_the_first_finished_one(add):
    folders = [add('one', status='failed'), add('two')]
    assert summarise(find_runs(folders)).baseline.name == 'two'


def test_a_baseline_from_elsewhere_is_an_error(add):
    first, second = add('one'), add('two')
    with pytest.raises(DataError, match='not among the runs'):
        summarise(find_runs([first]), baseline=find_runs([second])[0])


def test_the_test_split_is_shown_where_every_row_has_it(add):
    folders = [add('one'), add('two')]
    write_record(folders[0] / 'test_test.json', test_record())
    assert summarise(find_runs(folders)).split == 'val'
    write_record(folders[1] / 'test_test.json', test_record())
    assert summarise(find_runs(folders)).split == 'test'
    assert summarise(find_runs(folders), split='val').split == 'val'


def test_predictions_that_contradict_the_record_are_noted(add):
    folder = add('one', predictions={'n': 200, 'accuracy': 0.8}, best_value=99.0)
    note, = (note for note in summarise(find_runs([folder])).notes if 'gives' in note)
    assert 'predictions_val.npz' in note and '99.00' in note


def test_equal_probabilities_explain_a_contradiction(add):
    folder = add('one', predictions={'n': 50, 'accuracy': 1.0}, best_value=98.0)
    with np.load(folder / 'predictions_val.npz') as archive:
        stored = dict(archive)
    stored['prob'][0] = [0.5, 0.5, 0, 0, 0]  # its label is 0, the first of the equals
    np.savez(folder / 'predictions_val.npz', **stored)
    note, = (note for note in summarise(find_runs([folder])).notes if 'gives' in note)
    assert '100.00 %' in note and 'For 1 image another class is as probable' in note


def test_damaged_predictions_fall_back_on_the_record_and_are_noted(add):
    folder = add('one', best_value=91.0)
    (folder / 'predictions_val.npz').write_bytes(b'PK')
    summary = summarise(find_runs([folder]))
    assert summary.rows[0].value == 91.0
    assert any('predictions_val.npz' in note for note in summary.notes)


def test_a_run_without_any_result_is_a_row_without_numbers(add):
    summary = summarise(find_runs([add('one', epochs=0, status='failed')]))
    row, = summary.rows
    assert row.value is None and row.low is None and row.seconds is None
    assert summary.baseline is None


def test_kinds_are_not_mixed(add):
    folders = [add('one'), add('two', kind='forecasting', monitor='mse')]
    with pytest.raises(DataError, match='different kinds'):
        summarise(find_runs(folders))


def test_a_forecasters_metric_is_its_monitor_and_has_no_interval(add):
    rows = [epoch(1, metrics={'mse': 0.5})]
    run, = find_runs([add('one', kind='forecasting', rows=rows, monitor='mse', monitor_rule='less',
                          best_epoch=1, best_value=0.5)])
    summary = summarise([run])
    assert summary.metric == 'mse' and summary.rows[0].value == 0.5
    assert summary.rows[0].low is None


@pytest.fixture
def config(tmp_path):
    """A config two folders below `configs`."""
    path = tmp_path / 'configs' / 'study' / 'one.py'
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize('where', ['study', '.'])
def test_reported_figures_are_found_beside_and_above_the_config(add, config, where):
    entry = {'one': {'metric': 'accuracy/top1', 'value': 95.95, 'source': 'the report'}}
    (config.parents[1] / where / 'reported.json').write_text(json.dumps(entry))
    row, = summarise(find_runs([add('one', config_path=str(config))])).rows
    assert (row.reported.value, row.reported.source) == (95.95, 'the report')


@pytest.mark.parametrize('path', ['amlnn::resnet50_baseline.py', 'configs/resnet50_baseline.py'])
def test_reported_figures_of_the_projects_configs_are_found_from_any_folder(add, path):
    written = json.loads((ROOT / 'configs/reported.json').read_text())['resnet50_baseline']
    folder = add('one', config_path=path, config_name='resnet50_baseline')
    row, = summarise(find_runs([folder])).rows
    assert row.reported.value == written['value']


def test_reported_figures_above_configs_are_not_read(add, config):
    entry = {'one': {'metric': 'accuracy/top1', 'value': 95.95, 'source': 'the report'}}
    (config.parents[2] / 'reported.json').write_text(json.dumps(entry))
    row, = summarise(find_runs([add('one', config_path=str(config))])).rows
    assert row.reported is None


def test_a_relative_config_path_is_looked_for_from_the_working_directory(add, config, tmp_path,
                                                                         monkeypatch):
    entry = {'one': {'metric': 'accuracy/top1', 'value': 95.95, 'source': 'the report'}}
    (config.parent / 'reported.json').write_text(json.dumps(entry))
    monkeypatch.chdir(tmp_path)
    row, = summarise(find_runs([add('one', config_path='configs/study/one.py')])).rows
    assert row.reported.value == 95.95


@pytest.mark.parametrize('content', ['{', '[]', '{"one": {"value": 3}}', '{"one": 95}'])
def test_a_damaged_reported_file_is_noted_and_no_more(add, config, content):
    (config.parent / 'reported.json').write_text(content)
    summary = summarise(find_runs([add('one', config_path=str(config))]))
    assert summary.rows[0].reported is None
    assert any('reported.json' in note for note in summary.notes)


def test_a_reported_figure_of_another_metric_is_noted_not_shown(add, config):
    entry = {'one': {'metric': 'loss', 'value': 89.47, 'source': 'the report'}}
    (config.parent / 'reported.json').write_text(json.dumps(entry))
    summary = summarise(find_runs([add('one', config_path=str(config))]))
    assert summary.rows[0].reported is None
    assert any('89.47' in note for note in summary.notes)


def test_a_run_whose_data_changed_is_said_to_have_seen_what_it_may_be_tested_on(add, tmp_path):
    was = 'their hash is bbbbbbbb, was aaaaaaaa'
    add('whole')
    add('went_on', data_changed=was)
    folder = add('tested')
    write_record(folder / 'test_test.json', test_record(data_changed=f'{was} too'))
    for split, expected in (('val', ['went_on']), ('test', ['tested', 'went_on'])):
        notes = summarise(find_runs([tmp_path / 'work_dirs']), split=split).notes
        told = [note for note in notes if 'trained on may be' in note]
        assert sorted(note.partition(':')[0] for note in told) == expected
        assert all(was in note and f'in its {split} part' in note for note in told)
