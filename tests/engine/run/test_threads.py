"""Runs that go on with another number of threads, on another device, with other versions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from generated import ROOT, write_series, write_series_config
from tiny_runs import write_tiny_config

from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run

EPOCHS = 3


@pytest.fixture
def threads(monkeypatch):
    """Sets the number that a run is told. A process whose real one changes can crash in a library.
    """

    def told(count: int) -> None:
        monkeypatch.setattr(torch, 'get_num_threads', lambda: count)

    return told


@pytest.fixture(params=['images', 'series'])
def stopped(request, tmp_path, data_set, threads):
    """A config, and a run of it with one thread that was stopped in its third epoch."""
    if request.param == 'images':
        config = write_tiny_config(tmp_path / 'c.py', data_set, epochs=EPOCHS)
    else:
        config = write_series_config(tmp_path / 'c.py', write_series(tmp_path / 's.csv'),
                                     epochs=EPOCHS)
    original = EpochHook.after_epoch_metrics

    def stopping(hook, runner, metrics):
        if runner.epoch == EPOCHS and runner.folder.parent == tmp_path / 'w':
            raise KeyboardInterrupt
        return original(hook, runner, metrics)

    threads(1)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(EpochHook, 'after_epoch_metrics', stopping)
        train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu'))
    return config, (tmp_path / 'w/latest').resolve()


def resume(run_tool, config: Path, run: Path, *words) -> tuple[int, str, str]:
    return run_tool('train', config, '--resume', run, '--device', 'cpu', *words)


def assert_refused(outcome: tuple[int, str, str], *pieces: str) -> None:
    status, _, errors = outcome
    lines = errors.strip().splitlines()
    assert status == 2 and len(lines) == 2, errors
    assert lines[0].startswith('error: ') and lines[1].startswith('hint: ')
    assert [piece for piece in pieces if piece not in errors] == []


def test_another_number_of_threads_is_said_and_recorded_by_epoch(stopped, threads, run_tool):
    config, run = stopped
    threads(3)
    status, shown, errors = resume(run_tool, config, run)
    assert status == 0, errors
    assert 'threads 1 before, 3 now' in ' '.join((shown + errors).split())
    record = read_run(run)
    assert [epoch.threads for epoch in record.epochs] == [1, 1, 3] and record.threads == 3


def test_another_number_of_threads_is_refused_where_the_end_is_to_be_exact(
        stopped, threads, run_tool):
    config, run = stopped
    before = (run / 'run.json').read_bytes()
    threads(3)
    assert_refused(resume(run_tool, config, run, '--exact'), 'threads 1 before, 3 now',
                   'OMP_NUM_THREADS=1')
    assert (run / 'run.json').read_bytes() == before
    threads(1)
    status, shown, errors = resume(run_tool, config, run, '--exact')
    assert status == 0, errors
    assert ' before, ' not in shown + errors
    assert [epoch.threads for epoch in read_run(run).epochs] == [1, 1, 1]


@pytest.mark.parametrize('words', [(), ('--exact', )])
def test_the_threads_of_a_process_are_those_that_its_environment_says(stopped, words):
    config, run = stopped
    done = subprocess.run(
        [sys.executable, ROOT / 'tools/train.py', config, '--resume', run, '--device', 'cpu',
         *words],
        capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '2'}, check=False)
    assert 'threads 1 before, 2 now' in ' '.join((done.stdout + done.stderr).split())
    assert done.returncode == (2 if words else 0)
    assert [epoch.threads for epoch in read_run(run).epochs] == [1, 1] + [2] * (not words)


def test_threads_are_compared_where_only_a_checkpoint_knows_them(stopped, threads, run_tool):
    config, run = stopped
    (run / 'run.json').write_text('')
    threads(3)
    assert_refused(resume(run_tool, config, run, '--exact'), 'threads 1 before, 3 now')
    status, _, errors = resume(run_tool, config, run)
    assert status == 0, errors
    assert [epoch.threads for epoch in read_run(run).epochs] == [1, 1, 3]


def test_a_run_that_had_two_numbers_of_threads_is_never_exact_again(stopped, threads, run_tool):
    config, run = stopped
    threads(3)
    assert resume(run_tool, config, run)[0] == 0
    longer = ['--cfg-options', f'train_cfg.max_epochs={EPOCHS + 1}']
    for count in (1, 3):
        threads(count)
        assert_refused(resume(run_tool, config, run, '--exact', *longer), 'several numbers')


@pytest.mark.parametrize(('change', 'said'), [
    (lambda record: record['versions'].update(torch='0.0.1'), 'torch 0.0.1 before'),
    (lambda record: record.update(device='NVIDIA H100'), 'device NVIDIA H100 before, cpu now'),
    (lambda record: record.update(threads=7), 'threads 7 before, 1 now')])
def test_whatever_changes_the_last_bits_is_said_or_refused(stopped, change, said, run_tool):
    config, run = stopped
    record = json.loads((run / 'run.json').read_text())
    change(record)
    (run / 'run.json').write_text(json.dumps(record))
    assert_refused(resume(run_tool, config, run, '--exact'), said)
    status, shown, errors = resume(run_tool, config, run)
    assert status == 0, errors
    assert said in ' '.join((shown + errors).split())


def test_exactness_is_asked_only_of_a_run_that_goes_on(stopped, run_tool, tmp_path):
    config, _ = stopped
    for word in ('--exact', '--data-changed'):
        outcome = run_tool('train', config, '--work-dir', tmp_path / 'new', word)
        assert_refused(outcome, word, '--resume')
    assert not (tmp_path / 'new').exists()
