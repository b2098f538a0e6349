"""A sweep that is killed again and again ends in the table of one that never was."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from generated import ROOT, write_data_set, write_small_config

KILLS = 20
SWEEP = """config = 'config.py'
axes = {'model.frozen_stages': [1, 'all'], 'optim_wrapper.optimizer.lr': [0.05, 0.01, 0.002]}
seeds = 2
"""
WATCHES = ('seconds', 'images/s')


@pytest.fixture
def place(tmp_path) -> Path:
    data = write_data_set(tmp_path / 'data', sizes={'train': 12, 'val': 4, 'test': 4})
    write_small_config(tmp_path / 'config.py', data, '', epochs=3)
    (tmp_path / 'sweep.py').write_text(SWEEP)
    return tmp_path


def begin(place: Path, work: str, *more: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, ROOT / 'tools/sweep.py', 'sweep.py', '--work-dir', work, '--out',
         f'report_{work}', *more], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'XDG_CACHE_HOME': str(place / f'cache_{work}')})


def run(place: Path, work: str, *more: str) -> str:
    process = begin(place, work, *more)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    return output


def table(place: Path, work: str) -> list[dict]:
    with open(place / f'report_{work}' / 'table.csv', encoding='utf-8') as file:
        return [{key: value for key, value in row.items() if key not in WATCHES}
                for row in csv.DictReader(file)]


def weights(place: Path, work: str) -> dict[str, dict]:
    return {path.parent.name: torch.load(path, weights_only=True)['state_dict']
            for path in sorted((place / work).glob('*-s*/best.pth'))}


def processes_of(place: Path) -> list[str]:
    """Command lines of living processes that were started in the folder."""
    found = []
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                if (entry / 'cwd').resolve() == place:
                    found.append((entry / 'cmdline').read_bytes().replace(b'\0', b' ').decode())
            except OSError:  # it ended meanwhile, or is another user's
                continue
    return found


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(each, other[name]) for name, each in one.items())


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/cwd').exists(), reason='processes are looked for in /proc')
def test_twenty_kills_end_in_the_same_table_to_the_bit(place):
    run(place, 'whole')
    generator = random.Random(0)
    kills = 0
    while kills < KILLS:
        process = begin(place, 'killed')
        time.sleep(generator.uniform(10, 35))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        time.sleep(1)
        assert processes_of(place) == []
    run(place, 'killed')
    assert table(place, 'killed') == table(place, 'whole') and len(table(place, 'whole')) == 6
    one, other = weights(place, 'whole'), weights(place, 'killed')
    assert len(one) == 12 and one.keys() == other.keys()
    assert all(same(one[name], other[name]) for name in one)
    assert kills >= 3


@pytest.mark.slow
def test_two_sweeps_on_one_folder_divide_the_work(place):
    both = [begin(place, 'shared'), begin(place, 'shared')]
    outputs = [process.communicate(timeout=900)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    lines = [line for output in outputs for line in output.splitlines() if '/12  ' in line]
    trained = [line for line in lines if 'by another process' not in line]
    assert len(trained) == 12  # every trial once
    assert all(sum('/12  ' in line and 'another' not in line for line in output.splitlines()) > 0
               for output in outputs)
    run(place, 'alone')
    assert table(place, 'shared') == table(place, 'alone')
