"""A run without memory left has its best checkpoint, its curves and the record of its epochs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import ROOT, write_data_set
from tiny_runs import write_tiny_config

from amlnn.engine.memory import is_out_of_memory
from amlnn.records import read_run, read_test

ERRORS = {
    'of Python': MemoryError(),
    'of an accelerator': torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.'),
    'of the CPU': RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't "
                               'allocate memory: you tried to allocate 64 bytes.'),
}
EPOCH = 4 + 1  # batches of training and of validation


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp('memory') / 'data',
                          sizes={'train': 8, 'val': 2, 'test': 2}, side=8)


@pytest.fixture
def fail_at(monkeypatch, no_rehearsal):
    """Raises an error in the n-th loss of a run."""
    def fail_at(number, error):
        from mmpretrain.models.losses import CrossEntropyLoss
        original, calls = CrossEntropyLoss.forward, []

        def forward(self, *args, **kwargs):
            calls.append(1)
            if len(calls) == number:
                raise error
            return original(self, *args, **kwargs)
        monkeypatch.setattr(CrossEntropyLoss, 'forward', forward)
    return fail_at


@pytest.mark.parametrize('place', [2 * EPOCH + 2, 2 * EPOCH + 5], ids=['training', 'validation'])
@pytest.mark.parametrize('kind', ERRORS)
def test_the_epochs_done_are_kept_and_two_lines_say_what_to_do(
        data, tmp_path, run_tool, fail_at, kind, place):
    fail_at(place, ERRORS[kind])
    config = write_tiny_config(tmp_path / 'small.py', data, epochs=5)
    status, _, errors = run_tool('train', config)
    assert status == 1
    error, hint = errors.strip().splitlines()
    assert error.startswith('error: out of memory in epoch 3 of 5') and '2 epochs are done' in error
    assert type(ERRORS[kind]).__name__ in error
    assert hint.startswith('hint: a smaller train_dataloader.batch_size, such as 5 instead of 10')
    run = Path('work_dirs/small/latest')
    record = read_run(run)
    assert record.status == 'failed' and record.error.startswith('RunFailed: out of memory')
    assert [epoch.epoch for epoch in record.epochs] == [1, 2]
    best = torch.load(run / 'best.pth', weights_only=True)['meta']['epoch']
    assert best == record.best_epoch and f'best.pth holds epoch {best}' in error
    assert (run / 'curves.png').stat().st_size > 1000
    stored = np.load(run / 'predictions_val.npz')
    assert 100 * (stored['prob'].argmax(1) == stored['label']).mean() == pytest.approx(
        record.best_value)


def test_such_a_run_can_be_tested_and_gone_on_with(data, tmp_path, run_tool, fail_at, monkeypatch):
    config = write_tiny_config(tmp_path / 'small.py', data, epochs=4)
    with monkeypatch.context():
        fail_at(EPOCH + 2, MemoryError())
        assert run_tool('train', config)[0] == 1
    run = Path('work_dirs/small/latest')
    assert run_tool('test', config, run / 'best.pth')[0] == 0
    assert read_test(run / 'test_test.json').checkpoint_epoch == 1
    status, _, errors = run_tool('train', config, '--resume')
    assert status == 0, errors
    assert len(read_run(run).epochs) == 4 and read_run(run).status == 'done'


def test_without_memory_in_the_first_epoch_no_checkpoint_is_promised(
        data, tmp_path, run_tool, fail_at):
    fail_at(2, MemoryError('no room'))
    status, _, errors = run_tool('train', write_tiny_config(tmp_path / 'small.py', data))
    assert status == 1 and 'epoch 1 of 4 (MemoryError: no room)' in errors
    assert 'best.pth' not in errors and 'done' not in errors
    assert read_run(Path('work_dirs/small/latest')).epochs == []


@pytest.mark.parametrize(('error', 'expected'), [
    (RuntimeError('CUDA error: out of memory'), True),
    (RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. '), False),
    (RuntimeError('unable to write to file: insufficient shared memory (shm)'), True),
    (RuntimeError('Caught MemoryError in DataLoader worker process 0.'), True),
    (OSError(12, 'Cannot allocate memory'), True),
    (OSError(28, 'No space left on device'), False), (ValueError('out of memory'), False),
    (RuntimeError('mat1 and mat2 shapes cannot be multiplied'), False), (KeyError('x'), False)])
def test_errors_of_memory_are_told_from_others(error, expected):
    assert is_out_of_memory(error) == expected


def test_what_torch_raises_without_memory_is_told_too():
    with pytest.raises(RuntimeError) as error:
        torch.empty(10 ** 15)
    assert is_out_of_memory(error.value)


KILLED = '''\
import os, signal, sys
from pathlib import Path
from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, train
from amlnn.report.figures import draw_curves
original = EpochHook.after_train_iter
def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
    original(self, runner, batch_idx, data_batch, outputs)
    if runner.epoch == 2 and batch_idx == 1:
        os.kill(os.getpid(), signal.SIGKILL)
EpochHook.after_train_iter = after_train_iter
train(TrainOptions(Path(sys.argv[1])), draw=draw_curves)
'''


@pytest.mark.slow
def test_a_run_that_is_killed_in_the_middle_of_an_epoch_has_the_epochs_before(
        data, tmp_path, run_tool):
    config = write_tiny_config(tmp_path / 'small.py', data, epochs=4)
    done = subprocess.run([sys.executable, '-c', KILLED, str(config)], check=False, cwd=Path.cwd(),
                          env={**os.environ, 'PYTHONPATH': str(ROOT)}, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    run = Path('work_dirs/small/latest')
    record = read_run(run)
    assert record.status == 'running' and [epoch.epoch for epoch in record.epochs] == [1, 2]
    best = torch.load(run / 'best.pth', weights_only=True)['meta']['epoch']
    assert best == record.best_epoch and (run / 'curves.png').stat().st_size > 1000
    assert run_tool('test', config, run / 'best.pth')[0] == 0
    status, _, errors = run_tool('train', config, '--resume')
    assert status == 0, errors
    assert len(read_run(run).epochs) == 4
