"""Processes that train: what they say, how their end is told, and that nothing of them stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from generated import write_small_config

from amlnn.records import read_run, read_test
from amlnn.sweep.slots import LocalSlot, threads_each

pytestmark = pytest.mark.slow  # each starts a process that imports torch

WORKERS = ['train_dataloader.num_workers=2']


def collect(slot, until, seconds=180):
    found, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        found += slot.poll(0.2)
        if any(message['event'] == until for message in found):
            return found
    raise AssertionError(found)


@pytest.fixture
def slot(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    made = LocalSlot(log=tmp_path / 'log')
    yield made
    made.stop(30)


def order(tmp_path, data_set, text='', epochs=2, **more):
    config = write_small_config(tmp_path / 'config.py', data_set, text, epochs)
    return {**dict(name='trial', config=str(config), options=[], seed=3, pretrained=None,
                   work_dir=str(tmp_path / 'w'), device='cpu', test=None, keep_features=False,
                   may_stop=False), **more}


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_trial_is_trained_and_tested_with_workers_that_load_data(slot, tmp_path, data_set):
    slot.start(order(tmp_path, data_set, options=WORKERS))
    said = collect(slot, 'end')
    assert [message['event'] for message in said] == ['ready', 'epoch', 'epoch', 'end']
    assert said[-1]['error'] is None
    record = read_run(tmp_path / 'w/trial')
    assert (record.status, record.seed, len(record.epochs)) == ('done', 3, 2)
    assert read_test(tmp_path / 'w/trial/test_test.json').samples == 10
    slot.start(order(tmp_path, data_set))  # it is done: only tested again
    assert [message['event'] for message in collect(slot, 'end')] == ['end']


def test_a_trial_can_be_told_to_stop_after_an_epoch(slot, tmp_path, data_set):
    slot.start(order(tmp_path, data_set, epochs=5, may_stop=True))
    collect(slot, 'epoch')
    slot.tell({'go_on': True, 'word': ''})
    collect(slot, 'epoch')
    slot.tell({'go_on': False, 'word': 'pruned after epoch 2'})
    assert collect(slot, 'end')[-1]['error'] is None
    record = read_run(tmp_path / 'w/trial')
    assert (record.status, record.error, len(record.epochs)) == (
        'interrupted', 'pruned after epoch 2', 2)
    assert (tmp_path / 'w/trial/checkpoints/epoch_0002.pth').is_file()


def test_a_wrong_trial_is_said_and_the_next_one_goes_on(slot, tmp_path, data_set):
    slot.start(order(tmp_path, data_set, "model = dict(frozen_stages=9)"))
    assert 'frozen_stages' in collect(slot, 'end')[-1]['error']
    slot.start(order(tmp_path, data_set, 'optim_wrapper = dict(optimizer=dict(lr=1e30))'))
    assert 'loss is' in collect(slot, 'end')[-1]['error']
    assert read_run(tmp_path / 'w/trial').status == 'failed'
    slot.start(order(tmp_path, data_set, name='other'))
    assert collect(slot, 'end')[-1]['error'] is None


def test_a_killed_process_is_told_from_one_that_failed_and_leaves_nobody(slot, tmp_path, data_set):
    slot.start(order(tmp_path, data_set, options=WORKERS, epochs=500))
    collect(slot, 'epoch')
    group = slot._process.pid
    os.kill(group, signal.SIGKILL)
    assert 'SIGKILL' in collect(slot, 'died', 20)[-1]['error']
    time.sleep(0.2)
    assert not alive(group)


def test_stopping_leaves_a_run_that_goes_on(slot, tmp_path, data_set):
    slot.start(order(tmp_path, data_set, epochs=500))
    collect(slot, 'epoch')
    slot.stop(60)
    assert read_run(tmp_path / 'w/trial').status == 'interrupted'
    assert slot.poll(0.1) == []


def test_the_end_of_who_started_it_is_its_end(tmp_path, data_set):
    given = order(tmp_path, data_set, options=WORKERS, epochs=500)
    code = ('import sys, json; from amlnn.sweep.slots import LocalSlot\n'
            f'slot = LocalSlot(); slot.start({given!r})\n'
            'while True:\n'
            '    for each in slot.poll(1):\n'
            '        print(slot._process.pid, each["event"], flush=True)')
    owner = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
    line = ''
    while 'epoch' not in line:
        line = owner.stdout.readline()
    group = int(line.split()[0])
    owner.kill()
    owner.wait()
    owner.stdout.close()
    deadline = time.monotonic() + 10
    while alive(group) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(group)


def test_threads_are_divided():
    assert threads_each(1) >= threads_each(2) >= threads_each(1000) == 1
    assert Path('/proc').exists() is False or threads_each(1) == len(os.sched_getaffinity(0))
