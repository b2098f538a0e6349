"""A training that is killed at any change of the disk ends like one that was never killed."""

import shutil

import pytest
from file_events import kill_everywhere, scratch
from generated import write_series, write_series_config, write_small_config
from tiny_runs import write_tiny_config

from amlnn.engine.train import TrainOptions, train

TRUNK = '''
    model = dict(frozen_stages=2)
    default_hooks = dict(early_stopping=dict(
        type='RunEarlyStoppingHook', monitor='val_loss', patience=1, min_delta=10.0))
    '''

GENERATED = '''
    train_dataloader = dict(dataset=dict(source=dict(
        _delete_=True, type='GeneratedSeries', preset='study_b')))
    '''


@pytest.fixture
def root():
    folder = scratch()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def trainer(config):
    return lambda work_dir, resume: train(
        TrainOptions(config, work_dir=work_dir, resume=resume, device='cpu'))


def configs(kind, root, data_set):
    if kind == 'plain':
        return write_tiny_config(root / 'c.py', data_set, epochs=3)
    if kind == 'trunk':
        return write_small_config(root / 'c.py', data_set, TRUNK, epochs=3)
    return write_series_config(root / 'c.py', write_series(root / 's.csv'), GENERATED, epochs=3)


@pytest.mark.parametrize('kind', ['plain', 'trunk', 'forecaster'])
def test_a_kill_at_some_changes_of_the_disk_changes_nothing(kind, root, data_set):
    tried, wrong = kill_everywhere(trainer(configs(kind, root, data_set)), root, step=37, first=21)
    assert tried >= 3 and not wrong, '\n'.join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['plain', 'trunk', 'forecaster'])
def test_a_kill_at_every_change_of_the_disk_changes_nothing(kind, root, data_set):
    tried, wrong = kill_everywhere(trainer(configs(kind, root, data_set)), root)
    assert tried > 60 and not wrong, f'{len(wrong)} of {tried}:\n' + '\n'.join(wrong)
