"""Whatever happens to the cache of features, a training goes on with the right losses."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from generated import ROOT, write_small_config
from trunk_runs import FREEZE, losses, run

from amlnn.engine.train import TrainOptions, train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('own_cache')]


@pytest.fixture
def config(tmp_path, data_set):
    return write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'])


@pytest.fixture
def expected(config, tmp_path, monkeypatch):
    """The losses where no cache was ever in the way."""
    with monkeypatch.context() as patch:
        patch.setenv('AMLNN_CACHE', str(tmp_path / 'undisturbed'))
        return losses(run(config, tmp_path / 'expected', 'trunk_cache=True'))


def data_files(cache: Path) -> list[Path]:
    found = sorted(cache.glob('*/view_*.data'))
    assert found
    return found


@pytest.mark.parametrize('calls', [0, 1, 2, 3, 10, 41, 60])
def test_a_disk_that_fills_up_in_mid_write(config, expected, tmp_path, monkeypatch, own_cache,
                                           calls, capsys):
    pwrite, done = os.pwrite, []

    def filling(handle, piece, offset):
        done.append(offset)
        if len(done) > calls:
            pwrite(handle, piece[:len(piece) // 2], offset)
            raise OSError(errno.ENOSPC, 'No space left on device')
        return pwrite(handle, piece, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'pwrite', filling)
        assert losses(run(config, tmp_path / 'full', 'trunk_cache=True')) == expected
    assert len(done) > calls
    assert 'nothing more is kept' in capsys.readouterr().out
    assert losses(run(config, tmp_path / 'after', 'trunk_cache=True')) == expected


@pytest.mark.parametrize('part', [0.0, 0.3, 0.99])
def test_a_truncated_file(config, expected, tmp_path, own_cache, part):
    run(config, tmp_path / 'first', 'trunk_cache=True')
    for path in data_files(own_cache):
        os.truncate(path, int(path.stat().st_size * part))
    assert losses(run(config, tmp_path / 'after', 'trunk_cache=True')) == expected


def started(config: Path, work_dir: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, ROOT / 'tools/train.py', config, '--work-dir', work_dir, '--cfg-options',
         'default_hooks.logger.interval=1', 'execution.trunk_cache=True'],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_a_training_killed_while_it_builds_the_cache(config, expected, tmp_path, own_cache):
    for wait in (0.0, 0.05, 0.2):
        before = {path: path.stat().st_mtime_ns for path in own_cache.glob('*/view_*.data')}
        with started(config, tmp_path / 'killed') as process:
            while process.poll() is None and before == {
                    path: path.stat().st_mtime_ns for path in own_cache.glob('*/view_*.data')}:
                time.sleep(0.001)
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        assert data_files(own_cache)
    assert losses(run(config, tmp_path / 'after', 'trunk_cache=True')) == expected


def test_two_trainings_that_build_one_cache(config, expected, tmp_path, own_cache):
    processes = [started(config, tmp_path / name) for name in ('left', 'right')]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    for name in ('left', 'right'):
        assert losses(tmp_path / name / 'latest') == pytest.approx(expected, rel=1e-5)
    assert len({path.parent for path in data_files(own_cache)}) == 2  # training and validation
    assert losses(run(config, tmp_path / 'after', 'trunk_cache=True')) == pytest.approx(
        expected, rel=1e-5)


def test_a_resumed_run_whose_cache_is_gone(config, expected, tmp_path, own_cache, monkeypatch):
    def stop(record, path):
        if record.status == 'running' and len(record.epochs) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr('amlnn.engine.run.recorder._SECONDS_BETWEEN_DRAWINGS', -1.0)
    options = TrainOptions(config, work_dir=tmp_path / 'cut', cfg_options=[
        'default_hooks.logger.interval=1', 'execution.trunk_cache=True'])
    with pytest.raises(KeyboardInterrupt):
        train(options, draw=stop)
    for path in data_files(own_cache):
        path.unlink()
    options.resume = ''
    assert losses(train(options)) == expected
