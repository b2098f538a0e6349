"""Run folders: locked, found again, taken away. `amlnn/run_folder.py` makes them."""

import os
import re
import shutil
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

from amlnn.errors import UsageError
from amlnn.locks import NoLocksError, take_lock
from amlnn.run_folder import (
    RUN_NAME,
    create_run_folder,
    new_run_name,
    point_latest,
    start_order,
    utc_now,
)

__all__ = ['RunLock', 'begin_run_folder', 'checkpoint_run', 'create_run_folder', 'name_within',
           'named_run', 'new_run_name', 'point_latest', 'remove_dead_folders', 'remove_run_folder',
           'run_folders', 'utc_now']

_HALF_LINK = re.compile(r'\.latest\.\d+')


def named_run(parent: Path, name: str) -> str | None:
    """The run of a name, to go on with; None where there is none, and none half begun any more."""
    folder = parent / name
    if (folder / 'run.json').is_file():
        return str(folder)
    with RunLock(folder) if folder.is_dir() else nullcontext():
        shutil.rmtree(folder, ignore_errors=True)  # its process died before the run began
    return None


def remove_run_folder(folder: Path) -> None:
    """Take away a folder in which no run began, and the folders above that it was made with."""
    shutil.rmtree(folder, ignore_errors=True)
    for parent in list(folder.parents)[:2]:
        try:
            parent.rmdir()
        except OSError:  # it holds other runs
            return


def begin_run_folder(parent: Path, name: str) -> tuple[Path, 'RunLock']:
    """Create a run folder that nobody else has, and lock it.

    Raises:
        UsageError: no folder can be made there.
    """
    while True:
        folder = create_run_folder(parent, name)
        with suppress(UsageError, FileNotFoundError):  # another start took it for a dead one
            return folder, RunLock(folder)


def remove_dead_folders(parent: Path) -> None:
    """Take away the folders in which no run began, because its process was killed before.

    And half a link to the newest run. Who begins a run holds its folder's lock.
    """
    if not parent.is_dir():
        return
    for path in parent.iterdir():
        if _HALF_LINK.fullmatch(path.name) and path.is_symlink():
            path.unlink(missing_ok=True)
        if path.is_symlink() or not path.is_dir() or not RUN_NAME.fullmatch(path.name) \
                or (path / 'run.json').exists() or list(path.glob('checkpoints/*.pth')):
            continue
        with suppress(UsageError, OSError), RunLock(path) as lock:
            if lock.is_held:
                shutil.rmtree(path, ignore_errors=True)


def run_folders(parent: Path) -> list[Path]:
    """The run folders under `parent`, the one that was begun last first."""
    return sorted((path.parent for path in parent.glob('*/run.json')
                   if not path.parent.is_symlink()),
                  key=lambda folder: start_order(folder.name), reverse=True)


def checkpoint_run(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in, if it lies in one."""
    parents = checkpoint.absolute().parents
    return next((folder for folder in parents[:2] if (folder / 'run.json').is_file()), None)


def name_within(folder: Path, path: Path) -> str:
    """A path as a run's record names it: from the folder if it lies there, else as it is."""
    try:
        return str(path.absolute().relative_to(folder.absolute()))
    except ValueError:
        return str(path)


class RunLock:
    """Held by the one process that writes a run folder; gone with the process.

    The lock is on the folder itself, so no file is left in it. A disk without locks has none.

    Raises:
        UsageError: another process holds it.
    """

    _all: ClassVar[WeakSet['RunLock']] = WeakSet()

    def __init__(self, folder: Path):
        self._handle: int | None = None
        self._all.add(self)
        with suppress(NoLocksError):
            try:
                self._handle = take_lock(folder)
            except BlockingIOError:
                raise UsageError(f'another process is writing `{folder}`',
                                 hint='wait for it to end, or stop it') from None

    @property
    def is_held(self) -> bool:
        """Whether there is a lock at all."""
        return self._handle is not None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @classmethod
    def let_go(cls) -> None:
        """In a process that was forked off: data-loading workers outlive a killed run by seconds.

        The lock stays with the process that took it.
        """
        for lock in cls._all:
            lock.__exit__()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=RunLock.let_go)

