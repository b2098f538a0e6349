import json
import shutil
from pathlib import Path

import pytest
import torch
from generated import write_small_config

from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, planned_identity, train
from amlnn.errors import AmlnnError, UsageError
from amlnn.records import read_run

# Dropout and mixup-like draws in the main process, a schedule, momentum, and early stopping's
# patience: all that a resume could forget.
EVERYTHING = '''
    model = dict(frozen_stages=2, head=dict(
        type='StackedLinearClsHead', mid_channels=[16], dropout_rate=0.5, num_classes=5))
    param_scheduler = dict(type='CosineAnnealingLR', T_max=4, by_epoch=True)
    default_hooks = dict(
        logger=dict(interval=1),
        early_stopping=dict(type='RunEarlyStoppingHook', monitor='val_loss', patience=3))
    '''


class StopAfter:
    """Draws nothing, and stops the run like Ctrl-C when an epoch has been recorded."""

    def __init__(self, epoch):
        self.epoch = epoch

    def __call__(self, record, path):
        if record.status == 'running' and len(record.epochs) == self.epoch:
            raise KeyboardInterrupt


def iterations(folder: Path) -> list[tuple]:
    lines = [json.loads(line) for line in (folder / 'scalars.jsonl').read_text().splitlines()]
    return [(line['epoch'], line['iteration'], line['loss'], line['lr']) for line in lines]


@pytest.fixture(scope='module')
def config(tmp_path_factory, data_set):
    return write_small_config(tmp_path_factory.mktemp('config') / 'small.py', data_set, EVERYTHING,
                              epochs=4)


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    """A run that was never stopped; nothing may write into it."""
    return train(TrainOptions(config, work_dir=tmp_path_factory.mktemp('whole')))


@pytest.fixture
def finished(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / 'finished')


def interrupted(config, work_dir, monkeypatch, epoch: int = 3) -> Path:
    """A run stopped before epoch `epoch` is recorded: its checkpoint is that before it."""
    original = EpochHook.after_epoch_metrics

    def stopping(hook, runner, metrics):
        if runner.epoch == epoch and runner.folder.parent == work_dir:  # not in the rehearsal
            raise KeyboardInterrupt
        return original(hook, runner, metrics)

    with monkeypatch.context() as patch:
        patch.setattr(EpochHook, 'after_epoch_metrics', stopping)
        with pytest.raises(KeyboardInterrupt):
            train(TrainOptions(config, work_dir=work_dir))
    return (work_dir / 'latest').resolve()


def test_a_resumed_run_repeats_the_whole_one_to_the_bit(config, whole, tmp_path, monkeypatch):
    folder = interrupted(config, tmp_path / 'cut', monkeypatch)
    assert read_run(folder).status == 'interrupted'
    again = train(TrainOptions(config, work_dir=tmp_path / 'cut', resume=''))
    assert again.resolve() == folder
    assert iterations(folder) == iterations(whole)
    left, right = (torch.load(run / 'checkpoints/epoch_0004.pth', weights_only=True)
                   for run in (folder, whole))
    for name, value in left['state_dict'].items():
        assert torch.equal(value, right['state_dict'][name]), name
    assert left['hooks'] == right['hooks'] and left['param_schedulers'] == right['param_schedulers']
    first, second = read_run(folder), read_run(whole)
    assert first.status == 'done'
    assert [epoch.metrics for epoch in first.epochs] == [epoch.metrics for epoch in second.epochs]
    assert (first.best_epoch, first.best_value) == (second.best_epoch, second.best_value)


def test_a_run_stopped_in_its_first_epoch_starts_over_in_the_same_folder(
        config, whole, tmp_path, monkeypatch):
    folder = interrupted(config, tmp_path / 'cut', monkeypatch, epoch=1)
    assert not list(folder.glob('checkpoints/*.pth'))
    train(TrainOptions(config, work_dir=tmp_path / 'cut', resume=str(folder)))
    assert iterations(folder) == iterations(whole)


def test_a_damaged_newest_checkpoint_is_passed_over_for_the_one_before(
        config, whole, tmp_path, monkeypatch):
    folder = interrupted(config, tmp_path / 'cut', monkeypatch, epoch=4)
    newest = folder / 'checkpoints/epoch_0003.pth'
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.unlink()  # best.pth may be the same file
    newest.write_bytes(content)
    train(TrainOptions(config, work_dir=tmp_path / 'cut', resume=''))
    assert iterations(folder) == iterations(whole)


def test_a_finished_run_goes_on_only_to_more_epochs(config, finished):
    with pytest.raises(UsageError, match='is done: 4 epochs') as error:
        train(TrainOptions(config, resume=str(finished)))
    assert 'max_epochs' in error.value.hint
    before = read_run(finished).experiment
    options = TrainOptions(config, resume=str(finished), cfg_options=['train_cfg.max_epochs=5'])
    train(options)
    assert len(read_run(finished).epochs) == 5
    assert before != read_run(finished).experiment == planned_identity(options)


@pytest.mark.parametrize('option', ['optim_wrapper.optimizer.lr=0.3', 'model.frozen_stages=1',
                                    'train_dataloader.batch_size=4', 'randomness.seed=9'])
def test_a_changed_config_is_refused_and_the_key_named(config, finished, option):
    folder = finished
    before = (folder / 'run.json').read_bytes()
    with pytest.raises(UsageError, match=option.split('=')[0].replace('.', r'\.')):
        train(TrainOptions(config, resume=str(folder), cfg_options=[option]))
    assert (folder / 'run.json').read_bytes() == before


@pytest.mark.slow
def test_a_run_that_began_with_given_weights_goes_on_without_naming_them_again(
        config, whole, tmp_path, monkeypatch):
    monkeypatch.setattr('amlnn.engine.run.recorder._SECONDS_BETWEEN_DRAWINGS', -1.0)
    weights = str(whole / 'best.pth')
    work_dir = tmp_path / 'cut'
    with pytest.raises(KeyboardInterrupt):
        train(TrainOptions(config, work_dir=work_dir, pretrained=weights), draw=StopAfter(1))
    folder = train(TrainOptions(config, work_dir=work_dir, resume=''))
    assert read_run(folder).pretrained == weights and read_run(folder).status == 'done'
    never_stopped = train(TrainOptions(config, work_dir=tmp_path / 'whole', pretrained=weights))
    assert iterations(folder) == iterations(never_stopped)
    with pytest.raises(UsageError, match=r'model\.pretrained'):
        train(TrainOptions(config, resume=str(folder), pretrained='none',
                           cfg_options=['train_cfg.max_epochs=5']))


@pytest.mark.slow
def test_workers_may_change_between_a_run_and_its_continuation(
        config, whole, tmp_path, monkeypatch):
    folder = interrupted(config, tmp_path / 'cut', monkeypatch)
    train(TrainOptions(config, resume=str(folder), cfg_options=['train_dataloader.num_workers=1']))
    assert iterations(folder) == iterations(whole)


def test_nothing_to_resume_is_an_error(config, tmp_path):
    with pytest.raises(UsageError, match='no unfinished run'):
        train(TrainOptions(config, work_dir=tmp_path / 'none', resume=''))
    with pytest.raises(AmlnnError, match='no run record'):
        train(TrainOptions(config, resume=str(tmp_path)))


def test_two_processes_cannot_write_one_run(config, finished):
    from amlnn.run_folder import RunLock
    with RunLock(finished), pytest.raises(UsageError, match='another process'):
        train(TrainOptions(config, resume=str(finished), cfg_options=['train_cfg.max_epochs=5']))
