import dataclasses
import json
import math

import pytest

from amlnn.atomic import replacing, write_json
from amlnn.errors import DataError
from amlnn.records import (
    SCHEMA_VERSION,
    EpochRecord,
    FrozenStage,
    RunRecord,
    TestRecord,
    read_run,
    read_test,
    write_record,
)


def record(**changes) -> RunRecord:
    epoch = EpochRecord(epoch=1, iteration=4, train_loss=0.5, val_loss=0.25,
                        metrics={'accuracy/top1': 75.0}, learning_rate=0.1, seconds=2.0,
                        train_seconds=1.5, val_seconds=0.5, samples_per_second=40.0)
    values = dict(config_name='a', config_path='a.py', command=['train'], config_hash='0',
                  started='2026-01-01T00:00:00Z', seed=0, epochs=[epoch],
                  stages=[FrozenStage('stem', True, 0, 10)])
    return RunRecord(**{**values, **changes})


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    write_record(tmp_path / 'run.json', record())
    assert read_run(tmp_path) == read_run(tmp_path / 'run.json') == record()


def test_what_is_not_finite_is_null_on_the_disk(tmp_path):
    broken = record()
    broken.epochs[0].train_loss = math.nan
    broken.epochs[0].metrics['accuracy/top1'] = math.inf
    write_record(tmp_path / 'run.json', broken)
    stored = json.loads((tmp_path / 'run.json').read_text(), parse_constant=pytest.fail)
    assert stored['epochs'][0]['train_loss'] is None
    assert stored['epochs'][0]['metrics'] == {'accuracy/top1': None}


def test_a_test_record_is_read_back_as_it_was_written(tmp_path):
    tested = TestRecord(
        checkpoint='best.pth', checkpoint_epoch=3, split='test', samples=10, loss=0.5,
        metrics={'accuracy/top1': 90.0}, seconds=1.0, samples_per_second=10.0, device='cpu',
        precision='fp32', data_root='data', data_manifest_hash=None, versions={}, created='now')
    write_record(tmp_path / 'test_test.json', tested)
    assert read_test(tmp_path / 'test_test.json') == tested
    values = dataclasses.asdict(tested)
    del values['engine']
    write_json(tmp_path / 'test_test.json', {**values, 'schema_version': 5})
    assert read_test(tmp_path / 'test_test.json') == tested


def test_a_record_of_the_first_version_is_read_as_one_of_today(tmp_path):
    values = dataclasses.asdict(record())
    del values['experiment']
    values['total_images'] = values.pop('total_samples')
    for epoch in values['epochs']:
        epoch['images_per_second'] = epoch.pop('samples_per_second')
    write_json(tmp_path / 'run.json', {**values, 'schema_version': 1})
    assert read_run(tmp_path) == record()
    assert read_run(tmp_path).schema_version == SCHEMA_VERSION > 1


@pytest.mark.parametrize(('change', 'message'), [
    (lambda values: values.update(schema_version=99), 'schema version 99'),
    (lambda values: values.update(surprise=1), 'surprise'),
    (lambda values: values.pop('config_hash'), 'config_hash'),
    (lambda values: values.update(status='lost'), 'lost'),
    (lambda values: values['epochs'][0].pop('seconds'), 'seconds'),
])
def test_a_record_of_another_shape_is_an_error_that_names_the_key(tmp_path, change, message):
    values = dataclasses.asdict(record())
    change(values)
    write_json(tmp_path / 'run.json', values)
    with pytest.raises(DataError, match=message):
        read_run(tmp_path)


@pytest.mark.parametrize('content', ['', '{', '[]', 'null'])
def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path, content):
    (tmp_path / 'run.json').write_text(content)
    with pytest.raises(DataError, match=r'run\.json'):
        read_run(tmp_path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'folder' / 'a.txt'
    path.parent.mkdir()
    path.write_text('old')

    def half(temporary):
        temporary.write_text('ha')
        raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'), replacing(path) as temporary:
        half(temporary)
    assert path.read_text() == 'old' and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('row', [{}, {'windows': None}, {'forecast/mse': 1.0}])
def test_a_row_that_says_not_on_how_many_windows_is_refused(tmp_path, row):
    path = tmp_path / 'test_test.json'
    write_record(path, TestRecord('best.pth', 1, 'test', 4, None, {}, 1.0, 4.0, 'cpu', 'fp32', None,
                                  None, {}, '2026-01-01T00:00:00Z', baselines={'ridge': row}))
    with pytest.raises(DataError, match='`ridge` says not on how many windows'):
        read_test(path)


@pytest.mark.parametrize('name', ['seed', 'total_seconds'])
def test_a_number_that_no_arithmetic_takes_is_refused(tmp_path, name):
    write_record(tmp_path / 'run.json', record(**{name: 10 ** 400}))
    with pytest.raises(DataError, match=f'`{name}` is .1000'):
        read_run(tmp_path)


@pytest.mark.parametrize('text', ['[' * 100_000, '{"a":' * 100_000, '9' * 5000, '\ud800'])
def test_a_file_that_is_no_json_is_refused(tmp_path, text):
    (tmp_path / 'run.json').write_bytes(text.encode('utf-8', 'surrogatepass'))
    with pytest.raises(DataError, match='cannot be read'):
        read_run(tmp_path)
