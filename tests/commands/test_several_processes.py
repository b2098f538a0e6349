"""torchrun itself, as a user calls it."""

import os
import signal
import subprocess
import sys
import time

import pytest
from generated import ROOT, write_data_set, write_small_config

from amlnn.records import read_run

pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']


@pytest.fixture
def start(tmp_path):
    """Starts tools/train.py in two processes; none is left behind."""
    data = write_data_set(tmp_path / 'data', side=16)
    config = write_small_config(tmp_path / 'small.py', data)
    started = []

    def begin(*words):
        command = [*TORCHRUN, str(ROOT / 'tools/train.py'), str(config), '--device', 'cpu',
                   '--launcher', 'pytorch', '--work-dir', str(tmp_path / 'work'), *words]
        started.append(subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()  # torchrun ends those that it started
            process.wait(60)
        process.stdout.close()
        process.stderr.close()


def named(folder):
    """Processes whose command line names a folder."""
    listed = subprocess.run(['ps', '-eo', 'args'], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(folder) in line]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_torchrun_leaves_a_run_that_can_be_resumed_and_no_process(
        tmp_path, start, number):
    process = start('--cfg-options', 'train_cfg.max_epochs=1000')
    for _ in range(480):
        time.sleep(0.25)
        if list(tmp_path.glob('work/2*/checkpoints/epoch_0002.pth')):
            break
    process.send_signal(number)
    shown, _ = process.communicate(timeout=60)
    folder, = tmp_path.glob('work/2*')
    record = read_run(folder)
    assert record.status == 'interrupted' and len(record.epochs) >= 2
    assert process.returncode and f'--resume {folder}' in shown
    told = [line for line in shown.splitlines() if line.startswith('epoch ')]
    # Said once, by the first; the last one may be stopped between its record and its line.
    assert len(told) == len({line.split()[1] for line in told})
    assert len(record.epochs) - len(told) in (0, 1)
    assert named(tmp_path / 'work') == []


def test_a_slip_is_two_lines_before_what_torchrun_says(start):
    process = start('--cfg-options', 'train_cfg.max_epoch=3')
    shown, said = process.communicate(timeout=120)
    assert process.returncode and shown == ''
    ours = [line for line in said.splitlines() if line.startswith(('error: ', 'hint: '))]
    assert len(ours) == 2 and 'train_cfg.max_epoch' in ours[0] and 'max_epochs' in ours[1]
