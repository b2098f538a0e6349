"""Several processes for one training or test, as far as it is known before torch is imported.

`torchrun` or `srun` starts the same command several times and tells each by environment variables
which one it is (`--launcher`). The first one, of rank 0, speaks and writes; the others are quiet.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from amlnn.command import TOOLS, through_console
from amlnn.errors import UsageError

__all__ = ['LAUNCHERS', 'add_launcher', 'check_launcher', 'launch_line', 'launched']

LAUNCHERS = ('none', 'pytorch', 'slurm')

_TORCHRUN = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
_SLURM = ('SLURM_PROCID', 'SLURM_NTASKS')
_THREADS = 'OMP_NUM_THREADS'

_PATIENCE = 10.0
"""Seconds that a process whose command failed waits for the first one to say why."""


def add_launcher(parser: argparse.ArgumentParser, name: str) -> None:
    """Give the parser of the command `name` the option."""
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none',
                        help='who started this as one of several processes: '
                        + launch_line(name, 'pytorch'))
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)


def launch_line(name: str, launcher: str) -> str:
    """How the user would start a command in two processes.

    >>> launch_line('train', 'pytorch')
    'torchrun --nproc_per_node=2 tools/train.py CONFIG --launcher pytorch'
    """
    arguments = ('CONFIG CKPT' if name == 'test' else 'CONFIG') + f' --launcher {launcher}'
    command = f'-m amlnn {name}' if through_console() else TOOLS[name]
    if launcher == 'slurm':
        return f'srun --ntasks=2 python {command} {arguments}'
    return f'torchrun --nproc_per_node=2 {command} {arguments}'


def check_launcher(launcher: str, name: str, environment: Mapping[str, str]) -> None:
    """Compare an option with the variables that only a launcher sets.

    Raises:
        UsageError: they are not there, or they are and nobody asked for them.
    """
    if launcher == 'none':
        count = environment.get('WORLD_SIZE', '1')
        if 'TORCHELASTIC_RUN_ID' in environment and count != '1':
            raise UsageError(f'torchrun started {count} processes, and without --launcher pytorch '
                             'each would do all the work by itself',
                             hint='add --launcher pytorch, or leave torchrun out')
        return
    wanted = _TORCHRUN if launcher == 'pytorch' else _SLURM
    missing = [variable for variable in wanted if variable not in environment]
    if missing:
        who = 'torchrun' if launcher == 'pytorch' else 'srun'
        raise UsageError(f'--launcher {launcher}, and {missing[0]} is not set: it is {who} that '
                         'starts the processes', hint=launch_line(name, launcher))


@contextmanager
def launched(args: argparse.Namespace, name: str) -> Iterator[bool]:
    """Run a command as one of the processes that were started; yields whether it is the first.

    Args:
        args: Parsed, with `launcher` and `traceback`.
        name: Of the command.

    Raises:
        UsageError: no launcher started it, or one did and was not named.
    """
    first = os.environ.get('SLURM_PROCID' if args.launcher == 'slurm' else 'RANK', '0') == '0'
    if args.launcher == 'none':
        first = True
        with _after_the_first(os.environ.get('RANK', '0') == '0' or
                              'TORCHELASTIC_RUN_ID' not in os.environ, args.traceback):
            check_launcher(args.launcher, name, os.environ)
        yield True
        return
    with _after_the_first(first, args.traceback):
        check_launcher(args.launcher, name, os.environ)
        if args.launcher == 'slurm':
            os.environ.update(torchrun_variables(os.environ))
        if _undecided_threads(os.environ):
            os.environ[_THREADS] = str(_own_cores(os.environ))
        yield first


def torchrun_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What torchrun would set, from what Slurm does.

    >>> torchrun_variables({'SLURM_PROCID': '1', 'SLURM_NTASKS': '2', 'SLURM_LOCALID': '1'})
    ... # doctest: +NORMALIZE_WHITESPACE
    {'RANK': '1', 'WORLD_SIZE': '2', 'LOCAL_RANK': '1', 'LOCAL_WORLD_SIZE': '2',
     'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': '29500'}
    """
    nodes = int(environment.get('SLURM_NNODES', '1'))
    tasks = int(environment['SLURM_NTASKS'])
    address = environment.get('MASTER_ADDR') or '127.0.0.1'
    if nodes > 1 and 'MASTER_ADDR' not in environment:
        listed = subprocess.run(
            ['scontrol', 'show', 'hostnames', environment['SLURM_NODELIST']], check=True,
            capture_output=True, text=True)
        address = listed.stdout.split()[0]
    return {'RANK': environment['SLURM_PROCID'], 'WORLD_SIZE': str(tasks),
            'LOCAL_RANK': environment.get('SLURM_LOCALID', environment['SLURM_PROCID']),
            'LOCAL_WORLD_SIZE': str(-(-tasks // nodes)), 'MASTER_ADDR': address,
            'MASTER_PORT': environment.get('MASTER_PORT', '29500')}


@contextmanager
def _after_the_first(first: bool, traceback: bool) -> Iterator[None]:
    """Keep the others quiet, and let them fail after the first, which says why.

    A launcher ends all processes as soon as one fails; the reason of all of them would be lost if
    a silent one were the first to go.
    """
    if first:
        yield
        return
    with _silence(traceback) as last_words:
        try:
            yield
        except Exception as error:
            time.sleep(_PATIENCE)  # the launcher's SIGTERM ends it sooner
            print(f'error: process {os.environ.get("RANK")}: {error}', file=last_words)
            raise


@contextmanager
def _silence(keep_errors: bool) -> Iterator[TextIO]:
    """Send what is printed, by libraries too, nowhere; yields where errors would go."""
    kept = {number: os.dup(number) for number in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    for number in (1,) if keep_errors else (1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
    with open(kept[2], 'w', encoding='utf-8', closefd=False) as errors:
        yield errors


def _undecided_threads(environment: Mapping[str, str]) -> bool:
    """Whether nobody said how many threads a process has: torchrun then says one."""
    if _THREADS not in environment:
        return True
    if environment[_THREADS] != '1' or 'TORCHELASTIC_RUN_ID' not in environment:
        return False
    try:  # what torchrun itself was started with
        given = Path(f'/proc/{os.getppid()}/environ').read_bytes()
    except OSError:
        return False
    return not any(line.startswith(f'{_THREADS}='.encode()) for line in given.split(b'\0'))


def _own_cores(environment: Mapping[str, str]) -> int:
    """Cores of this machine for each of the processes on it."""
    if 'SLURM_CPUS_PER_TASK' in environment:
        return int(environment['SLURM_CPUS_PER_TASK'])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') \
        else os.cpu_count() or 1
    return max(1, cores // int(environment.get('LOCAL_WORLD_SIZE', environment['WORLD_SIZE'])))
