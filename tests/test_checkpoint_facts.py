"""What a checkpoint says of itself is taken only where it can be."""

import copy

import numpy as np
import pytest
import torch

from amlnn.checkpoint_facts import interval_fault, meta_fault, series_fault
from amlnn.engine.run.checkpoint import load_weights, read_checkpoint
from amlnn.engine.series.sections import checkpoint_metainfo
from amlnn.errors import CheckpointError

SERIES = dict(kind='series', columns=['a', 'b'], extra_columns=['c'], look_back=24, horizon=6,
              scaler=dict(mean=[1.0, 2, 3], deviation=[1.0, 1, 0.5]), step='hour',
              step_seconds=3600.0, season=24, trained_until=dict(times=[1_600_000_000]),
              known_columns=['hour_sin', 'price'],
              known=dict(columns=['price'], scaler=dict(mean=[0.0], deviation=[1.0]),
                         calendar=['hour'], holidays=None,
                         static={'size': dict(mean=1.0, deviation=2.0), 'kind': dict(words=['x'])}))
PANEL = SERIES | dict(ids=['x', 'y'], id_columns=['shop'], trained_until=dict(rows=[3, 4]),
                      scaler=dict(ids=['x', 'y'], mean=[[1, 2, 3.0]] * 2,
                                  deviation=[[1, 2, 3.0]] * 2))
GONE = object()


@pytest.mark.parametrize('info', [SERIES, PANEL], ids=['series', 'panel'])
def test_what_a_training_writes_is_taken(info):
    assert series_fault(info) == ''


@pytest.mark.parametrize('path, value', [
    ('columns', GONE), ('columns', 'ab'), ('columns', []), ('columns', ['a', 'a']),
    ('columns', ['a', 1]), ('extra_columns', None), ('look_back', 0), ('look_back', True),
    ('look_back', 2.0), ('horizon', 10**400), ('horizon', '6'), ('scaler', []),
    ('scaler.mean', [1.0, 2]), ('scaler.mean', [1.0, 2, float('nan')]), ('scaler.mean', None),
    ('scaler.deviation', [1.0, 1, 0]), ('scaler.deviation', [1.0, 1, -1]), ('season', 0),
    ('season', 'day'), ('cycle', -1), ('step', 3), ('step_seconds', 0), ('known', [1]),
    ('known.columns', GONE), ('known.scaler', {}), ('known.scaler.mean', [1.0, 2]),
    ('known.calendar', 'hour'), ('known.static', []), ('known.static.size', None),
    ('known.static.size.mean', '1'), ('known_columns', [b'price']), ('members', {}),
    ('trained_until', [3]), ('trained_until.times', [1, 2]), ('trained_until.times', ['now']),
    ('ids', ['x'])])
def test_what_cannot_be_is_named(path, value):
    info = copy.deepcopy(SERIES)
    *outer, name = path.split('.')
    inner = info
    for key in outer:
        inner = inner[key]
    if value is GONE:
        del inner[name]
    else:
        inner[name] = value
    fault = series_fault(info)
    assert fault and path.split('.')[0] in fault
    with pytest.raises(CheckpointError) as refused:
        checkpoint_metainfo({'meta': {'dataset_meta': info}}, 'x.pth')
    assert fault in refused.value.message


@pytest.mark.parametrize('change', [
    dict(ids=[]), dict(ids=['y', 'x']), dict(ids=['x', 'x']), dict(trained_until=dict(rows=[3])),
    dict(scaler=PANEL['scaler'] | dict(mean=[[1, 2, 3.0]])),
    dict(scaler=PANEL['scaler'] | dict(ids=['x', 3]))])
def test_a_panels_scales_are_those_of_its_series(change):
    assert series_fault(PANEL | change)


@pytest.mark.parametrize('meta, said', [
    ([1], 'meta'), ({'epoch': -1}, 'epoch'), ({'epoch': 1.5}, 'epoch'), ({'run': 'x'}, 'run'),
    ({'run': {'data_changed': 3}}, 'data_changed'), ({'cfg': {}}, 'cfg'),
    ({'data_manifest_hash': 3}, 'data_manifest_hash'), ({'dataset_meta': 'cats'}, 'dataset_meta'),
    ({'dataset_meta': {'classes': ['cat', 3]}}, 'classes'),
    ({'dataset_meta': {'classes': 'cat'}}, 'classes')])
def test_a_file_that_says_what_cannot_be_of_itself_is_refused(tmp_path, meta, said):
    assert said in meta_fault({'meta': meta})
    torch.save({'state_dict': {}, 'meta': meta}, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=said):
        read_checkpoint(tmp_path / 'x.pth')


def test_a_file_of_mmengine_is_taken():
    meta = {'epoch': 3, 'iter': 9, 'cfg': 'a = 1', 'seed': 1, 'hook_msgs': {},
            'dataset_meta': {'classes': ('cat', 'dog'), 'palette': None}}
    assert meta_fault({'meta': meta}) == ''


@pytest.mark.parametrize('intervals', [
    None, [None], {}, [dict(level=2, margin=np.zeros((6, 2)))],
    [dict(level=0.8, ends=[1], margin=np.zeros((6, 2)))],
    [dict(level=0.8, ends=None, margin=np.zeros((2, 6)))],
    [dict(level=0.8, ends=None, margin=[[0, 0]] * 6)]])
def test_intervals_have_a_level_and_a_margin_a_step_and_column(intervals):
    assert interval_fault([dict(level=0.8, ends=None, margin=np.zeros((6, 2)))], 6, 2, None) == ''
    assert 'intervals' in interval_fault(intervals, 6, 2, None)
    assert 'by_series' in interval_fault(
        [dict(level=0.8, ends=[0, 2], margin=torch.zeros(6, 2))], 6, 2, 3)


@pytest.mark.parametrize('value, said', [
    ([[1.0, 2.0]], 'a list'), (None, 'a NoneType'), (torch.eye(2).to_sparse(), 'sparse'),
    (torch.ones(2, 2, dtype=torch.complex64), 'complex64')])
def test_weights_are_dense_tensors_of_real_numbers(value, said):
    model = torch.nn.Linear(2, 2, bias=False)
    with pytest.raises(CheckpointError, match=said):
        load_weights(model, {'state_dict': {'weight': value}}, 'x.pth')
    with pytest.raises(CheckpointError, match='no weights'):
        load_weights(model, {'state_dict': {3: torch.ones(2, 2)}}, 'x.pth')
