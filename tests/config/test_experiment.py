"""Which keys are the experiment: one answer, for rows of a report and for going on with a run."""

import copy
import json
from pathlib import Path

import pytest
from generated import ROOT

from amlnn.config.experiment import (
    CONTINUATION,
    FREE,
    REPETITION,
    experiment,
    first_difference,
    flat,
    identity,
)
from amlnn.config.load import load_config
from amlnn.config.resolved import read_resolved, resolved_text

CONFIGS = ('configs/quickstart/digits_frozen3.py', 'configs/series/etth1_seggru_96.py')

# Written down by hand, a line a key: what may differ between two runs of one experiment, and two
# values that it might have.
ONE_EXPERIMENT = {
    'work_dir': ('a', 'b'),
    'experiment_name': ('a', 'b'),
    'resume': (False, True),
    'launcher': ('none', 'pytorch'),
    'log_level': ('INFO', 'ERROR'),
    'log_processor': (dict(window_size=10), dict(window_size=50)),
    'visualizer': (None, dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])),
    'env_cfg.mp_cfg.opencv_num_threads': (0, 2),
    'env_cfg.cudnn_benchmark': (False, True),
    'train_dataloader.num_workers': (0, 2),
    'train_dataloader.persistent_workers': (False, True),
    'train_dataloader.prefetch_factor': (2, 8),
    'train_dataloader.pin_memory': (False, True),
    'train_dataloader.pin_memory_device': ('', 'cuda'),
    'train_dataloader.multiprocessing_context': ('fork', 'spawn'),
    'train_dataloader.timeout': (0, 10),
    'train_dataloader.disable_subprocess_warning': (False, True),
    'val_dataloader.num_workers': (0, 2),
    'test_dataloader.pin_memory': (False, True),
    'execution.cache_gb': (1, 2.5),
    'execution.decoded_cache': (False, 'memory'),
    'execution.trunk_cache': ('auto', True),
    'execution.trunk_engine': ('auto', 'auto'),
    'default_hooks.checkpoint.interval': (1, 5),
    'default_hooks.checkpoint.max_keep_ckpts': (1, 3),
    'default_hooks.logger.interval': (1, 50),
    'default_hooks.timer': (None, dict(type='IterTimerHook')),
    'default_hooks.visualization.enable': (False, True),
}
REPETITIONS = {'randomness.seed': (0, 1), 'randomness.deterministic': (False, True),
               'train_dataloader.sampler.seed': (1, 2), 'val_dataloader.dataset.fold': (0, 1)}
CONTINUATIONS = {'train_cfg.max_epochs': (10, 20)}


def changed(config: dict, dotted: str, value: object) -> dict:
    """A copy with one key set."""
    config = copy.deepcopy(config)
    place = config
    *parts, last = dotted.split('.')
    for part in parts:
        if isinstance(place, dict) and not isinstance(place.get(part), dict | list):
            place[part] = {}
        place = place[int(part)] if isinstance(place, list) else place[part]
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return config


def plain(path: str) -> dict:
    """A resolved config as run folders hold it, with lists for tuples."""
    text = resolved_text(load_config(ROOT / path).config)
    return json.loads(json.dumps(read_resolved(text)))


@pytest.fixture(scope='module', params=CONFIGS)
def config(request) -> dict:
    return plain(request.param)


@pytest.mark.parametrize('key', [*ONE_EXPERIMENT, *REPETITIONS])
def test_runs_that_differ_in_what_is_not_the_experiment_are_repetitions(config, key):
    values = (ONE_EXPERIMENT | REPETITIONS)[key]
    one, other = (changed(config, key, value) for value in values)
    assert identity(one) == identity(other)
    assert identity(one) == identity(changed(config, key, values[0]))


@pytest.mark.parametrize('key', [*ONE_EXPERIMENT, *CONTINUATIONS])
def test_a_run_goes_on_with_another_value_of_what_is_not_the_experiment(config, key):
    one, other = (changed(config, key, value)
                  for value in (ONE_EXPERIMENT | CONTINUATIONS)[key])
    assert first_difference(one, other, CONTINUATION) == ''


@pytest.mark.parametrize('key', REPETITIONS)
def test_a_run_does_not_go_on_with_another_seed(config, key):
    one, other = (changed(config, key, value) for value in REPETITIONS[key])
    assert key in first_difference(one, other, CONTINUATION)


def test_a_longer_training_is_another_row_of_a_report(config):
    one, other = (changed(config, 'train_cfg.max_epochs', value) for value in (10, 20))
    assert identity(one) != identity(other)


def test_every_row_of_the_table_has_a_reason_and_is_tried_above():
    tried = {**ONE_EXPERIMENT, **REPETITIONS, **CONTINUATIONS}
    for free in FREE:
        assert free.reason and free.purposes
        wanted = free.key.split('.')
        assert any(key.endswith(wanted[-1].lstrip('*')) or key.startswith(free.key)
                   for key in tried), free.key


def test_every_other_key_is_the_experiment(config):
    known = {**ONE_EXPERIMENT, **REPETITIONS, **CONTINUATIONS}
    before, asked = identity(config), 0
    for key in flat(config):
        if key in known or key.startswith(('env_cfg', 'randomness', 'default_hooks.logger',
                                           'default_hooks.timer')) \
                or key.rpartition('.')[2] in ('num_workers', 'persistent_workers'):
            continue
        asked += 1
        other = changed(config, key, 'something else')
        assert identity(other) != before, key
        assert key in first_difference(config, other), key
    assert asked > 30


def test_an_engine_by_name_is_another_way_to_compute_and_the_choice_is_none(config):
    one, other = (changed(config, 'execution.trunk_engine', value) for value in ('auto', 'torch'))
    assert identity(config) == identity(one) != identity(other)
    assert 'trunk_engine' in first_difference(one, other)


def test_no_trunk_cache_is_another_way_to_compute(config):
    one, other = (changed(config, 'execution.trunk_cache', value) for value in ('auto', False))
    assert identity(one) != identity(other)
    assert 'trunk_cache' in first_difference(one, other)


@pytest.mark.parametrize('path', CONFIGS)
def test_where_the_data_lie_does_not_count_where_their_hash_is_known(path, tmp_path):
    config = plain(path)
    keys = [key for key in flat(config) if key.endswith(('data_root', 'source.path'))]
    assert keys
    moved = config
    for key in keys:
        moved = changed(moved, key, str(tmp_path / 'elsewhere'))
    assert identity(config) != identity(moved)
    assert identity(config, 'abc') == identity(moved, 'abc')
    assert identity(config, 'abc') != identity(moved, 'def')
    assert first_difference(config, moved, CONTINUATION, 'abc', 'abc') == ''
    assert 'data' in first_difference(config, config, CONTINUATION, 'abc', 'def')
    assert 'elsewhere' in first_difference(config, moved, CONTINUATION, 'abc', None)


def test_a_second_folder_whose_content_no_hash_names_counts():
    config = dict(train_dataloader=dict(dataset=dict(data_root='a')),
                  test_dataloader=dict(dataset=dict(data_root='b')))
    moved = changed(config, 'test_dataloader.dataset.data_root', 'c')
    assert identity(config, 'abc') != identity(moved, 'abc')


def test_the_seed_of_a_data_set_counts_until_a_hash_names_what_it_chose():
    one, other = (dict(train_dataloader=dict(dataset=dict(source=dict(seed=seed))))
                  for seed in (1, 2))
    assert identity(one) != identity(other)
    assert identity(one, 'abc') == identity(other, 'abc')


@pytest.mark.parametrize(('one', 'other'), [
    (dict(a=1), dict(a=1.0)), (dict(a=(1, 2)), dict(a=[1, 2])), (dict(a=[]), dict(a=())),
    (dict(b=1, a=2), dict(a=2, b=1)), (dict(a=Path), dict(a='pathlib.Path'))])
def test_ways_to_write_one_value_are_one_experiment(one, other):
    assert identity(one) == identity(other) and first_difference(one, other) == ''


@pytest.mark.parametrize(('one', 'other'), [
    (dict(a=1), dict(a=True)), (dict(a=0), dict(a=None)), (dict(a=[]), dict(a={})),
    (dict(a='1'), dict(a=1)), (dict(a=[1, 2]), dict(a=[2, 1])), (dict(a=None), dict())])
def test_values_that_only_look_alike_are_two_experiments(one, other):
    assert identity(one) != identity(other)
    if one != dict(a=None):  # a key that says None is one that is not there, to a reader
        assert first_difference(one, other)


def test_the_experiment_is_shown_by_dotted_keys():
    assert experiment(dict(model=dict(layers=[dict(n=2.0)]), work_dir='x')) == \
        {'model.layers.0.n': 2}
    assert experiment(dict(randomness=dict(seed=3)), purpose=REPETITION) == {}
    assert experiment(dict(randomness=dict(seed=3)), purpose=CONTINUATION) == \
        {'randomness.seed': 3}
