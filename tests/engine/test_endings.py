"""How runs end that do not end by themselves: signals to groups, lost workers, full disks."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from generated import ROOT
from tiny_runs import write_tiny_config

from amlnn.engine import train as train_module
from amlnn.engine.run.checkpoint import CheckpointFolder
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run

WORKERS = '''
    train_dataloader = dict(num_workers=2, persistent_workers=True)
    val_dataloader = dict(num_workers=1, persistent_workers=True)
    '''
ENVIRONMENT = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}


def start(config: Path, work_dir: Path, *words: str) -> subprocess.Popen:
    """tools/train.py as the first of a process group of its own."""
    return subprocess.Popen(
        [sys.executable, ROOT / 'tools/train.py', config, '--work-dir', work_dir, *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env=ENVIRONMENT)


def wait_for(what, process: subprocess.Popen, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def epochs_of(work_dir: Path) -> int:
    found = list(work_dir.glob('*/run.json'))
    return len(read_run(found[0]).epochs) if found else -1


def run_in(work_dir: Path) -> Path:
    """The one run folder."""
    run, = (path.parent for path in work_dir.glob('*/run.json') if not path.parent.is_symlink())
    return run


def children(pid: int) -> list[int]:
    return [int(word) for task in Path(f'/proc/{pid}/task').iterdir()
            for word in (task / 'children').read_text().split()]


def assert_gone(group: int) -> None:
    """Nothing of a process group is left; what is dying has a moment."""
    for _ in range(250):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError('there are orphans')


def ends_rightly(config: Path, work_dir: Path, epoch: int, delay: float) -> None:
    process = start(config, work_dir)
    wait_for(lambda: epochs_of(work_dir) >= epoch, process)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    assert output.strip().splitlines()[-1] == 'terminated' and 'error' not in output.lower()
    run = run_in(work_dir)
    record = read_run(run)
    assert record.status == 'interrupted' and f'--resume {run}' in output
    assert_gone(process.pid)
    again = start(config, work_dir, '--resume', str(run), '--cfg-options',
                  f'train_cfg.max_epochs={len(record.epochs) + 1}')
    output, _ = again.communicate(timeout=240)
    assert again.returncode == 0, output
    assert read_run(run).status == 'done'
    assert [epoch.epoch for epoch in read_run(run).epochs] == [
        *(epoch.epoch for epoch in record.epochs), len(record.epochs) + 1]


def test_sigterm_to_the_group_of_a_run_with_workers_ends_it_as_interrupted(tmp_path, data_set):
    config = write_tiny_config(tmp_path / 'c.py', data_set, WORKERS, epochs=2000)
    ends_rightly(config, tmp_path / 'w', 1, 0.03)


@pytest.mark.slow
@pytest.mark.parametrize('number', range(8))
def test_sigterm_to_the_group_before_a_run_has_begun_leaves_nothing_half(number, tmp_path,
                                                                         data_set):
    config = write_tiny_config(tmp_path / 'c.py', data_set, WORKERS, epochs=1)
    work_dir = tmp_path / 'w'
    begin = time.monotonic()
    whole = start(config, tmp_path / 'whole')
    wait_for(lambda: epochs_of(tmp_path / 'whole') >= 0, whole)
    took = time.monotonic() - begin
    output, _ = whole.communicate(timeout=240)
    assert whole.returncode == 0, output
    process = start(config, work_dir)
    time.sleep(took * number / 8)
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    # Python ends of the signal itself until the command has begun.
    assert process.returncode in (143, -signal.SIGTERM), output
    assert 'Traceback' not in output and 'error' not in output.lower()
    assert_gone(process.pid)
    again = start(config, work_dir)
    output, _ = again.communicate(timeout=240)
    assert again.returncode == 0, output
    statuses = [read_run(path).status for path in work_dir.glob('2*Z-*')]
    assert statuses.count('done') == 1 and set(statuses) <= {'done', 'interrupted'}


@pytest.mark.slow
@pytest.mark.parametrize('number', range(16))
def test_sigterm_to_the_group_ends_it_rightly_at_any_moment(number, tmp_path, data_set):
    config = write_tiny_config(tmp_path / 'c.py', data_set, WORKERS, epochs=2000)
    ends_rightly(config, tmp_path / 'w', number % 4, 0.017 * number)


@pytest.mark.parametrize(('moment', 'status'), [
    ('point_latest', 'interrupted'), ('finish', 'done')])
def test_a_signal_at_the_edge_of_a_training_leaves_no_run_that_says_it_is_running(
        moment, status, tmp_path, data_set, monkeypatch, request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    config = write_tiny_config(tmp_path / 'c.py', data_set, epochs=1)
    owner = train_module if moment == 'point_latest' else Recorder
    original, sent = getattr(owner, moment), []

    def signalled(*arguments):
        if not sent:
            sent.append(moment)
            signal.raise_signal(signal.SIGINT)
        return original(*arguments)

    monkeypatch.setattr(owner, moment, signalled)
    with pytest.raises(KeyboardInterrupt):
        train(TrainOptions(config, work_dir=tmp_path / 'w'))
    run = run_in(tmp_path / 'w')
    assert sent and read_run(run).status == status
    if status == 'interrupted':
        assert read_run(train(TrainOptions(config, work_dir=tmp_path / 'w', resume=''))
                        ).status == 'done'


def test_a_worker_that_the_system_kills_ends_the_run_with_one_message(tmp_path, data_set):
    config = write_tiny_config(tmp_path / 'c.py', data_set, WORKERS, epochs=2000)
    process = start(config, tmp_path / 'w')
    wait_for(lambda: epochs_of(tmp_path / 'w') >= 1, process)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    first, second = output.strip().splitlines()[-2:]
    assert re.match(r'error: a data-loading worker \(pid \d+\) was killed by the system', first)
    assert second.startswith('hint: ') and '--resume' in second
    assert 'out of memory' not in output and 'bug' not in output
    run = run_in(tmp_path / 'w')
    assert read_run(run).status == 'failed' and 'worker' in read_run(run).error
    assert_gone(process.pid)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of four megabytes."""
    place = tmp_path / 'disk'
    place.mkdir()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4M', 'none', place],
                             capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip('only the administrator can make a small disk')
    yield place
    subprocess.run(['umount', '-l', place], check=True)


@pytest.mark.parametrize('left', [500, 700, 900])
def test_a_full_disk_is_told_with_folder_and_checkpoint_and_recorded(left, small_disk, tmp_path,
                                                                    data_set):
    config = write_tiny_config(tmp_path / 'c.py', data_set, epochs=2000)
    (small_disk / 'other').write_bytes(bytes(4 * 1_048_576 - left * 1024))
    process = start(config, small_disk / 'w')
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 1, output
    first, second = output.strip().splitlines()[-2:]
    run = run_in(small_disk / 'w')
    assert first.startswith('error: ') and str(run) in first and 'No space left' in first
    assert 'make room' in second and f'--resume {run}' in second
    record = read_run(run)
    assert record.status == 'failed' and 'No space left' in record.error
    files = CheckpointFolder(run / 'checkpoints').files()
    assert not files or str(files[-1]) in first
    (small_disk / 'other').unlink()
    again = start(config, small_disk / 'w', '--resume', str(run), '--cfg-options',
                  f'train_cfg.max_epochs={len(record.epochs) + 1}')
    output, _ = again.communicate(timeout=240)
    assert again.returncode == 0, output


@pytest.mark.parametrize('place', ['a file', 'a file/below', 'n' * 300])
def test_a_work_dir_that_can_be_none_is_two_lines_and_status_2(place, tmp_path, data_set):
    config = write_tiny_config(tmp_path / 'c.py', data_set)
    (tmp_path / 'a file').write_text('')
    process = start(config, tmp_path / place)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 2, output
    first, second = output.strip().splitlines()[-2:]
    assert first.startswith('error: ') and second.startswith('hint: ')
    assert place == 'n' * 300 or '--work-dir' in second


def test_a_read_only_work_dir_is_two_lines_and_status_2(small_disk, tmp_path, data_set):
    subprocess.run(['mount', '-o', 'remount,ro', small_disk], check=True)
    config = write_tiny_config(tmp_path / 'c.py', data_set)
    process = start(config, small_disk / 'w')
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 2, output
    assert 'Read-only' in output.strip().splitlines()[-2] and '--work-dir' in output
