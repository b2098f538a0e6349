"""Which run folders are found, and what is said about those that cannot be read."""

import json
import zipfile

import numpy as np
import pytest
from run_folders import record, test_record, write_predictions, write_run

from amlnn.errors import DataError
from amlnn.records import write_record
from amlnn.results.store import find_runs, read_predictions


@pytest.fixture
def work_dirs(tmp_path):
    """Two configs, the second with two runs and a `latest` link."""
    write_run(tmp_path / 'work_dirs' / 'one' / 'a', record('one'))
    write_run(tmp_path / 'work_dirs' / 'two' / 'b', record('two', started='2025-03-02T10:00:00Z'))
    write_run(tmp_path / 'work_dirs' / 'two' / 'c', record('two', started='2025-03-01T10:00:00Z'))
    (tmp_path / 'work_dirs' / 'two' / 'latest').symlink_to('b')
    return tmp_path / 'work_dirs'


def names(runs):
    return [run.folder.name for run in runs]


def test_a_run_its_link_its_config_and_all_of_work_dirs_can_be_given(work_dirs):
    assert names(find_runs([work_dirs / 'one' / 'a'])) == ['a']
    assert names(find_runs([work_dirs / 'one' / 'a' / 'run.json'])) == ['a']
    assert names(find_runs([work_dirs / 'two' / 'latest'])) == ['b']
    assert names(find_runs([work_dirs / 'two'])) == ['c', 'b']
    assert names(find_runs([work_dirs])) == ['a', 'c', 'b']


def test_a_run_given_twice_is_read_once_and_the_given_order_stays(work_dirs):
    paths = [work_dirs / 'two' / 'latest', work_dirs / 'one', work_dirs]
    assert names(find_runs(paths)) == ['b', 'a', 'c']


def test_test_results_come_with_the_run(work_dirs):
    folder = work_dirs / 'one' / 'a'
    write_record(folder / 'test_test.json', test_record(metrics={'accuracy/top1': 12.5}))
    run, = find_runs([folder])
    assert run.tests['test'].metrics == {'accuracy/top1': 12.5}
    assert list(run.tests) == ['test']


def test_predictions_are_read_when_asked_for_and_once(work_dirs):
    folder = work_dirs / 'one' / 'a'
    run, = find_runs([folder])
    assert not run.has_predictions('val')
    arrays = write_predictions(folder)
    predictions = run.predictions('val')
    np.testing.assert_array_equal(predictions.probs, arrays['prob'])
    np.testing.assert_array_equal(predictions.labels, arrays['label'])
    assert predictions.ids.tolist() == arrays['id'].tolist()
    assert predictions.classes == arrays['classes'].tolist()
    assert run.predictions('val') is predictions


def test_a_damaged_run_among_others_is_skipped_and_named(work_dirs):
    (work_dirs / 'two' / 'c' / 'run.json').write_text('{"config_name": "tw')
    lines = []
    assert names(find_runs([work_dirs], lines.append)) == ['a', 'b']
    line, = lines
    assert line.startswith('warning: skipped') and str(work_dirs / 'two' / 'c') in line


def test_the_warning_goes_to_stderr_by_default(work_dirs, capsys):
    (work_dirs / 'two' / 'c' / 'run.json').write_text('[]')
    find_runs([work_dirs])
    captured = capsys.readouterr()
    assert captured.out == '' and captured.err.startswith('warning: skipped')


def test_a_run_that_died_before_its_record_is_named(work_dirs):
    (work_dirs / 'one' / 'a' / 'run.json').unlink()
    lines = []
    find_runs([work_dirs], lines.append)
    assert 'no run record' in lines[0]


@pytest.mark.parametrize('content', ['', '[1]', '{"schema_version": 1, "epochs": [3]}',
                                     '{"schema_version": 1, "epochs": 3}', '{"schema_version": 1}'])
def test_a_record_of_any_wrong_shape_is_an_error_that_names_the_file(work_dirs, content):
    file = work_dirs / 'one' / 'a' / 'run.json'
    file.write_text(content)
    with pytest.raises(DataError) as caught:
        find_runs([work_dirs / 'one'])
    assert str(file) in caught.value.message and caught.value.hint


def test_another_schema_version_is_named(work_dirs):
    file = work_dirs / 'one' / 'a' / 'run.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), 'schema_version': 99}))
    with pytest.raises(DataError, match='schema version 99'):
        find_runs([work_dirs / 'one' / 'a'])


def test_only_damaged_runs_are_an_error(work_dirs):
    for run in work_dirs.glob('*/[abc]/run.json'):
        run.write_text('')
    with pytest.raises(DataError, match='none of the 3 runs'):
        find_runs([work_dirs])


def test_a_path_that_is_not_there_is_an_error_with_the_nearest_name(work_dirs):
    with pytest.raises(DataError) as caught:
        find_runs([work_dirs / 'one', work_dirs / 'tvo'])
    assert caught.value.hint == f'did you mean {work_dirs / "two"}?'


def test_a_folder_without_runs_is_an_error(tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match='no run in the folder'):
        find_runs([tmp_path / 'empty'])


def test_a_link_to_a_deleted_run_is_an_error(work_dirs):
    (work_dirs / 'one' / 'latest').symlink_to('gone')
    with pytest.raises(DataError, match='gone'):
        find_runs([work_dirs / 'one' / 'latest'])


def test_a_damaged_test_result_is_ignored_with_a_warning(work_dirs):
    (work_dirs / 'one' / 'a' / 'test_val.json').write_text('{')
    lines = []
    run, = find_runs([work_dirs / 'one'], lines.append)
    assert run.tests == {} and 'test_val.json' in lines[0]


def test_missing_predictions_are_an_error_with_the_command_to_write_them(work_dirs):
    run, = find_runs([work_dirs / 'one'])
    with pytest.raises(DataError, match=r'no predictions at .*predictions_test\.npz') as caught:
        run.predictions('test')
    assert 'tools/test.py' in caught.value.hint


@pytest.mark.parametrize('share', [0.0, 0.3, 0.9])
def test_half_written_predictions_are_named(tmp_path, share):
    write_predictions(tmp_path)
    file = tmp_path / 'predictions_val.npz'
    content = file.read_bytes()
    file.write_bytes(content[:int(share * len(content))])
    with pytest.raises(DataError, match=r'predictions_val\.npz` is damaged or only half written'):
        read_predictions(file)


def test_an_archive_with_a_cut_member_is_named(tmp_path):
    arrays = write_predictions(tmp_path)
    file = tmp_path / 'predictions_val.npz'
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members['prob.npy'] = members['prob.npy'][:200]
    with zipfile.ZipFile(file, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert len(arrays['prob']) > 10
    with pytest.raises(DataError, match='half written'):
        read_predictions(file)


def test_pickled_predictions_are_refused(tmp_path):
    np.savez(tmp_path / 'p.npz', id=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r'p\.npz'):
        read_predictions(tmp_path / 'p.npz')


@pytest.mark.parametrize(('change', 'problem'), [
    ({'prob': None}, 'no array named prob'),
    ({'prob': np.full((3, 2), np.nan)}, 'not finite'),
    ({'prob': np.zeros((3, 4))}, 'shapes'),
    ({'label': np.array([0, 1, 2])}, 'labels from 0 to 2 do not fit 2 classes'),
    ({'label': np.array([0.0, 1, 1])}, 'whole numbers'),
    ({'id': np.arange(3)}, 'strings'),
    ({'id': np.array([], dtype=str), 'label': np.array([], dtype=int), 'prob': np.zeros((0, 2))},
     'no prediction'),
])
def test_predictions_that_do_not_fit_are_refused(tmp_path, change, problem):
    arrays = {'id': np.array(['a', 'b', 'c']), 'label': np.array([0, 1, 1]),
              'prob': np.full((3, 2), 0.5), 'classes': np.array(['x', 'y']), **change}
    np.savez(tmp_path / 'p.npz', **{name: value for name, value in arrays.items()
                                    if value is not None})
    with pytest.raises(DataError, match=problem):
        read_predictions(tmp_path / 'p.npz')
