"""A signal in the middle of a long epoch: saved after the step, gone on with to the bit."""

import os
import signal

import pytest
from exact_resume import assert_equal, contents
from generated import write_series, write_series_config, write_small_config
from tiny_runs import write_tiny_config

from amlnn.engine.run.checkpoint import CheckpointFolder
from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import ConfigError

# Every epoch is long; dropout draws from the process's generators.
LONG = '''
    default_hooks = dict(logger=dict(interval=1), checkpoint=dict(save_within=0))
    model = dict({more}head=dict(
        type='StackedLinearClsHead', mid_channels=[16], dropout_rate=0.5, num_classes=5))
    '''
SERIES = 'default_hooks = dict(checkpoint=dict(save_within=0))'


@pytest.fixture(autouse=True)
def interruptible():
    """Ctrl-C stops, also where the tests were started in the background, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def configs(kind, folder, data_set):
    if kind == 'plain':
        return write_tiny_config(folder / 'c.py', data_set, LONG.format(more=''), epochs=3)
    if kind == 'trunk':
        return write_small_config(folder / 'c.py', data_set, LONG.format(more='frozen_stages=2, '),
                                  epochs=3)
    if kind == 'workers':
        return write_tiny_config(folder / 'c.py', data_set, LONG.format(more='') + '''
    train_dataloader = dict(num_workers=2, persistent_workers=True)
    ''', epochs=3)
    return write_series_config(folder / 'c.py', write_series(folder / 's.csv'), SERIES, epochs=3)


class SignalAt:
    """Sends this process a signal within an epoch, counted from 0, at a step of it."""

    def __init__(self, patch, epoch, step, number=signal.SIGINT):
        self.original, self.epoch, self.step = EpochHook.after_train_iter, epoch, step
        self.number, self.sent, self.steps = number, False, 0
        patch.setattr(EpochHook, 'after_train_iter', self.hook())

    def hook(self):
        def sending(hook, runner, batch_idx, **options):
            self.steps += 1
            result = self.original(hook, runner, batch_idx, **options)
            if not self.sent and (runner.epoch, batch_idx) == (self.epoch, self.step):
                self.sent = True
                os.kill(os.getpid(), self.number)
            return result
        return sending


@pytest.mark.parametrize('kind', ['plain', 'trunk', 'workers', 'forecaster'])
def test_a_run_stopped_in_mid_epoch_goes_on_after_the_step_to_the_bit(kind, tmp_path, data_set,
                                                                     monkeypatch, capsys):
    config = configs(kind, tmp_path, data_set)
    with monkeypatch.context() as patch:
        all_steps = SignalAt(patch, -1, 0)
        whole = train(TrainOptions(config, work_dir=tmp_path / 'whole', device='cpu'))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        SignalAt(patch, 1, 1)
        train(TrainOptions(config, work_dir=tmp_path / 'cut', device='cpu'))
    folder = (tmp_path / 'cut/latest').resolve()
    saved = CheckpointFolder(folder / 'checkpoints')
    assert saved.files()[-1].name == 'epoch_0002.part.pth'
    assert [entry['file'] for entry in saved.entries()] == ['epoch_0001.pth', 'epoch_0002.part.pth']
    assert 'epoch 1 and 2 batches of the next' in capsys.readouterr().out
    with monkeypatch.context() as patch:
        counted = SignalAt(patch, -1, 0)
        again = train(TrainOptions(config, work_dir=tmp_path / 'cut', resume='', device='cpu'))
        assert counted.steps == all_steps.steps // 3 * 2 - 2
    assert_equal(contents(whole), contents(again))
    assert [path.name for path in saved.files()] == ['epoch_0002.pth', 'epoch_0003.pth']


def test_a_short_epoch_is_not_saved_in_the_middle(tmp_path, data_set, monkeypatch):
    config = write_tiny_config(tmp_path / 'c.py', data_set, epochs=2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        SignalAt(patch, 1, 1)
        train(TrainOptions(config, work_dir=tmp_path / 'cut', device='cpu'))
    saved = CheckpointFolder((tmp_path / 'cut/latest').resolve() / 'checkpoints')
    assert [path.name for path in saved.files()] == ['epoch_0001.pth']


def test_a_long_epoch_that_was_trained_is_there_when_its_validation_is_stopped(
        tmp_path, data_set, monkeypatch):
    config = configs('plain', tmp_path, data_set)
    whole = train(TrainOptions(config, work_dir=tmp_path / 'whole', device='cpu'))

    original = EpochHook.after_train_epoch

    def stopping(hook, runner):
        if runner.epoch == 1:
            raise KeyboardInterrupt
        original(hook, runner)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(EpochHook, 'after_train_epoch', stopping)
        train(TrainOptions(config, work_dir=tmp_path / 'cut', device='cpu'))
    with monkeypatch.context() as patch:
        counted = SignalAt(patch, -1, 0)
        again = train(TrainOptions(config, work_dir=tmp_path / 'cut', resume='', device='cpu'))
        assert counted.steps == len(contents(whole)[2]) // 3
    assert_equal(contents(whole), contents(again))


def test_a_second_signal_does_not_wait(tmp_path, data_set, monkeypatch):
    config = configs('plain', tmp_path, data_set)
    original = EpochHook.after_train_iter

    def twice(hook, runner, batch_idx, **options):
        original(hook, runner, batch_idx, **options)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError('the second signal waited')

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(EpochHook, 'after_train_iter', twice)
        train(TrainOptions(config, work_dir=tmp_path / 'cut', device='cpu'))


@pytest.mark.parametrize('value', ["'soon'", "'5 parsecs'"])
def test_a_time_that_is_none_is_refused(value, tmp_path, data_set):
    config = write_tiny_config(tmp_path / 'c.py', data_set, f'''
        default_hooks = dict(checkpoint=dict(save_within={value}))
        ''')
    with pytest.raises(ConfigError, match='save_within'):
        train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu'))
