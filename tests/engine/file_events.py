"""Kills a training at one of the events in which it changes the disk, whichever is asked for.

Runs in processes of their own, forked from one that has everything imported.
"""

import io
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from exact_resume import assert_equal

from amlnn.records import read_run

EVENTS = ('replace', 'fsync', 'unlink', 'link', 'rename', 'mkdir', 'rmdir', 'symlink', 'truncate')


class Killer:
    """Counts what changes files below a folder, and kills the process before one of them.

    After one is before the next.

    Args:
        folder: Only what happens below it counts.
        at: Number of the event before which the process is killed, from 1; 0 for never.
    """

    def __init__(self, folder: Path, at: int = 0):
        self.folder, self.at = str(folder), at
        self.count = 0
        self.names: list[str] = []

    def install(self) -> None:
        for name in EVENTS:
            setattr(os, name, self._counting(name, getattr(os, name)))
        original = io.open
        opened = self._counting_open(original)
        import builtins
        builtins.open = io.open = opened

    def _event(self, name: str) -> None:
        self.count += 1
        self.names.append(name)
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _counting(self, name: str, original: Callable) -> Callable:
        def call(*arguments, **options):
            if not any(self.folder in self._path(each) for each in arguments):
                return original(*arguments, **options)
            self._event(f'{name} {self._path(arguments[0])[len(self.folder):]}')
            return original(*arguments, **options)
        return call

    def _counting_open(self, original: Callable) -> Callable:
        def call(file, mode='r', *arguments, **options):
            if any(letter in mode for letter in 'wax+') and self.folder in self._path(file):
                self._event(f'open {self._path(file)[len(self.folder):]}')
            return original(file, mode, *arguments, **options)
        return call

    def _path(self, argument: object) -> str:
        if isinstance(argument, int):
            try:
                return str(Path(f'/proc/self/fd/{argument}').readlink())
            except OSError:
                return ''
        return str(Path(argument).resolve()) if isinstance(argument, str | os.PathLike) else ''


def in_a_child(do: Callable[[], None], log: Path) -> int:
    """Run something in a forked process; its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        signal.alarm(600)  # a library whose threads a fork does not have may wait for ever
        status = 1
        try:
            with open(log, 'w') as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
                do()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def end_state(folder: Path) -> dict:
    """All that must be the same however often a run was killed: files, weights, records."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*')
                   if path.is_file())
    state: dict = {'files': files}
    for path in [*folder.glob('checkpoints/*.pth'), folder / 'best.pth']:
        stored = torch.load(path, map_location='cpu', weights_only=True)
        state[path.name] = {name: stored[name] for name in (
            'state_dict', 'optimizer', 'param_schedulers', 'own_hooks', 'hooks', 'gradients')}
        state[path.name]['epoch'] = stored['meta']['epoch']
        state[path.name]['intervals'] = stored.get('intervals')
    for path in folder.glob('*.npz'):
        with np.load(path) as arrays:
            state[path.name] = {name: torch.from_numpy(arrays[name])
                                if arrays[name].dtype.kind in 'fiub' else arrays[name].tolist()
                                for name in arrays.files}
    record = read_run(folder)
    state['record'] = [record.status, record.best_epoch, record.best_value, record.stopped_early,
                       record.lost_epochs, [(each.train_loss, each.val_loss, each.metrics)
                                            for each in record.epochs]]
    state['scalars'] = [{name: value for name, value in json.loads(line).items()
                         if 'second' not in name}
                        for line in (folder / 'scalars.jsonl').read_text().splitlines()]
    state['manifest'] = [(entry['file'], entry['epoch'], entry['iteration']) for entry in
                         json.loads((folder / 'checkpoints/manifest.json').read_text())]
    return state


def runs_in(work_dir: Path) -> list[Path]:
    """The folders of runs; none where there is no work-dir yet."""
    return [path for path in work_dir.glob('*') if path.is_dir() and not path.is_symlink()]


def is_done(run: Path) -> bool:
    """Whether a record is there, and says so."""
    record = run / 'run.json'
    return record.is_file() and read_run(run).status == 'done'


def kill_everywhere(train: Callable[[Path, str | None], Path], root: Path, step: int = 1,
                    first: int = 1) -> tuple[int, list[str]]:
    """Kill a training at its events, resume it, and compare with one never killed.

    Args:
        train: Given a work-dir and what to resume, trains.
        root: A folder for all runs.
        step: Every so many events.
        first: From this one on.

    Returns:
        How many events were tried, and what went wrong, a line each.
    """
    whole, counted = root / 'whole', root / 'events.txt'
    # What a first training imports and finds out is there in every fork of this process: a fifth
    # of the time.
    train(root / 'first', None)

    def count() -> None:
        killer = Killer(whole)
        killer.install()
        train(whole, None)
        counted.write_text('\n'.join(killer.names))

    status = in_a_child(count, root / 'whole.log')
    assert status == 0, (root / 'whole.log').read_text()[-3000:]
    names = counted.read_text().splitlines()
    expected = end_state((whole / 'latest').resolve())
    wrong, tried = [], 0
    for at in range(first, len(names) + 1, step):
        cut = root / 'cut'
        shutil.rmtree(cut, ignore_errors=True)
        tried += 1
        what = f'event {at} of {len(names)}, {names[at - 1]}'

        def killed(at=at, cut=cut) -> None:
            Killer(cut, at).install()
            train(cut, None)

        status = in_a_child(killed, root / 'cut.log')
        if status != -signal.SIGKILL:
            wrong.append(f'{what}: was not killed ({status}): '
                         + (root / 'cut.log').read_text()[-300:])
            continue
        done = [run for run in runs_in(cut) if is_done(run)]
        status = in_a_child(lambda cut=cut: train(cut, 'auto'), root / 'again.log')
        if status != 0:
            wrong.append(f'{what}: resume failed: ' + (root / 'again.log').read_text()[-800:])
            continue
        runs = runs_in(cut)
        try:
            # A run that was done already is whole as it lies there; another one is begun beside it.
            assert len(runs) == 1 + len(done), [path.name for path in runs]
            for run in runs:
                assert_equal(expected, end_state(run))
        except Exception as error:
            wrong.append(f'{what}: {type(error).__name__}: {str(error)[:600]}')
    return tried, wrong


def scratch() -> Path:
    """A folder on the fastest disk there is."""
    return Path(tempfile.mkdtemp(prefix='events-', dir='/dev/shm' if Path('/dev/shm').is_dir()
                                 else None))
