"""Who starts several processes, and what each of them is told."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
from generated import ROOT

from amlnn.errors import UsageError
from amlnn.launcher import (
    _own_cores,
    _undecided_threads,
    check_launcher,
    launch_line,
    launched,
    torchrun_variables,
)

TORCHRUN = {'RANK': '0', 'WORLD_SIZE': '2', 'LOCAL_RANK': '0', 'MASTER_ADDR': 'a',
            'MASTER_PORT': '1', 'TORCHELASTIC_RUN_ID': 'x'}


@pytest.mark.parametrize(('launcher', 'environment', 'said', 'hint'), [
    ('pytorch', {}, 'RANK is not set', 'torchrun --nproc_per_node=2 tools/train.py CONFIG '
     '--launcher pytorch'),
    ('slurm', {}, 'SLURM_PROCID is not set', 'srun --ntasks=2 python tools/train.py CONFIG '
     '--launcher slurm'),
    ('none', TORCHRUN, 'torchrun started 2 processes', '--launcher pytorch')])
def test_a_launcher_that_is_not_there_or_not_named_is_an_error(launcher, environment, said, hint):
    with pytest.raises(UsageError, match=said) as caught:
        check_launcher(launcher, 'train', environment)
    assert hint in caught.value.hint


def test_a_launcher_that_is_there_is_let_pass():
    check_launcher('pytorch', 'train', TORCHRUN)
    check_launcher('none', 'train', {})
    check_launcher('none', 'train', {**TORCHRUN, 'WORLD_SIZE': '1'})
    check_launcher('slurm', 'test', {'SLURM_PROCID': '0', 'SLURM_NTASKS': '2'})


def test_the_line_is_that_of_the_command_as_it_was_called(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['amlnn'])
    assert launch_line('test', 'pytorch') == \
        'torchrun --nproc_per_node=2 -m amlnn test CONFIG CKPT --launcher pytorch'


def test_slurm_s_variables_become_torchrun_s(monkeypatch):
    given = {'SLURM_PROCID': '5', 'SLURM_NTASKS': '8', 'SLURM_NNODES': '2', 'SLURM_LOCALID': '1',
             'SLURM_NODELIST': 'n[1-2]', 'MASTER_PORT': '1234'}
    monkeypatch.setattr(subprocess, 'run', lambda words, **options: subprocess.CompletedProcess(
        words, 0, stdout='n1\nn2\n'))
    assert torchrun_variables(given) == {
        'RANK': '5', 'WORLD_SIZE': '8', 'LOCAL_RANK': '1', 'LOCAL_WORLD_SIZE': '4',
        'MASTER_ADDR': 'n1', 'MASTER_PORT': '1234'}


def test_each_process_has_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: set(range(8)), raising=False)
    assert _own_cores({'LOCAL_WORLD_SIZE': '3', 'WORLD_SIZE': '6'}) == 2
    assert _own_cores({'WORLD_SIZE': '16'}) == 1
    assert _own_cores({'WORLD_SIZE': '2', 'SLURM_CPUS_PER_TASK': '5'}) == 5


def test_a_number_of_threads_that_somebody_chose_stays():
    assert _undecided_threads({})
    assert not _undecided_threads({'OMP_NUM_THREADS': '3', **TORCHRUN})
    assert not _undecided_threads({'OMP_NUM_THREADS': '1'})


@pytest.mark.skipif(not Path('/proc/self/environ').exists(), reason='needs /proc')
@pytest.mark.parametrize(('given', 'undecided'), [({}, True), ({'OMP_NUM_THREADS': '1'}, False)])
def test_what_torchrun_sets_by_itself_nobody_chose(given, undecided):
    child = ('import os; from amlnn.launcher import _undecided_threads; '
             'print(_undecided_threads(os.environ))')
    parent = ('import os, subprocess, sys; os.environ.update(OMP_NUM_THREADS="1", '
              'TORCHELASTIC_RUN_ID="x"); '
              f'subprocess.run([sys.executable, "-c", {child!r}], check=True)')
    clean = {name: value for name, value in os.environ.items() if name != 'OMP_NUM_THREADS'}
    done = subprocess.run([sys.executable, '-c', parent], env={**clean, **given}, cwd=ROOT,
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(undecided)


def test_only_the_first_process_speaks(tmp_path):
    code = ('import argparse; from amlnn.launcher import launched\n'
            'args = argparse.Namespace(launcher="pytorch", traceback=False)\n'
            'with launched(args, "train") as first:\n'
            '    print("first" if first else "other", flush=True)\n')
    for rank, said in (('0', 'first\n'), ('1', '')):
        done = subprocess.run([sys.executable, '-c', code], env={**os.environ, **TORCHRUN,
                              'RANK': rank}, cwd=ROOT, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == (said, '')


def test_without_a_launcher_the_one_process_is_the_first():
    with launched(argparse.Namespace(launcher='none', traceback=False), 'train') as first:
        assert first
