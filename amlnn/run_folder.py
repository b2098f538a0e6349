"""Run folders: their names and order, the lock on one, the link to the newest, dead ones removed.

A folder's name is when its run began, and names are in the order of the starts whatever the clock
does: where it has gone back, or stands still, a name is a second after the newest that is there.
When a run began by the clock is in its record.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

from amlnn.errors import RunFailed, UsageError
from amlnn.locks import NoLocksError, take_lock

__all__ = ['RUN_NAME', 'RunLock', 'begin_run_folder', 'create_run_folder', 'new_run_name',
           'point_latest', 'remove_dead_folders', 'remove_run_folder', 'start_order', 'utc_now']

RUN_NAME = re.compile(r'(\d{8}T\d{6}Z)-[0-9a-f]{8}(?:-(\d+))?', re.ASCII)
"""A folder as `new_run_name` calls it, and `create_run_folder` where two begin at once."""

_STAMP = '%Y%m%dT%H%M%SZ'
_HALF_LINK = re.compile(r'\.latest\.\d+')


def utc_now() -> str:
    """The time as ISO 8601, to the second."""
    return datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')


def new_run_name(config_hash: str, parent: Path) -> str:
    """`<UTC time>-<short hash>`, after the name of every run in `parent`.

    >>> new_run_name('0123456789', Path('work_dirs/none'))[-10:]
    'Z-01234567'
    """
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    newest = max(_starts(parent), default=None)
    if newest is not None and newest >= now:
        now = newest
        with suppress(OverflowError):  # the last second there is: numbers go on from there
            now += timedelta(seconds=1)
    return f'{now.strftime(_STAMP)}-{config_hash[:8]}'


def _starts(parent: Path) -> Iterator[datetime]:
    """When the runs in a folder began, by their names."""
    with suppress(OSError):  # no folder, or none that can be read: said later
        for path in parent.iterdir():
            if found := RUN_NAME.fullmatch(path.name):
                with suppress(ValueError):  # a 13th month
                    yield datetime.strptime(found[1], _STAMP)


def start_order(name: str, started: str = '') -> tuple[str, int, str]:
    """What puts runs in the order in which they began: by their names, which no clock turns round.

    Args:
        name: Of the run's folder.
        started: When it began, as `utc_now` says it; for folders of another name.

    >>> names = ['20260101T000000Z-01234567-10', '20260101T000000Z-01234567-2']
    >>> sorted(names, key=start_order)[0][-2:]
    '-2'
    """
    found = RUN_NAME.fullmatch(name)
    if not found:
        return started or name, 1, name
    time = found[1]
    return (f'{time[:4]}-{time[4:6]}-{time[6:11]}:{time[11:13]}:{time[13:]}', int(found[2] or 1),
            name)


def create_run_folder(parent: Path, name: str) -> Path:
    """Create a folder that no other run has, adding a number where the name is taken."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            folder = parent / (name if number == 1 else f'{name}-{number}')
            try:
                folder.mkdir()
            except FileExistsError:  # started in the same second
                continue
            return folder
    except OSError as error:
        raise UsageError(f'`{parent}` cannot hold runs: {error.strerror or error}',
                         hint='another folder: --work-dir D') from None
    raise RunFailed(f'`{parent}` has a thousand runs named {name}')


def point_latest(folder: Path) -> None:
    """Make `latest` beside a run folder point to it."""
    link = folder.parent / 'latest'
    temporary = folder.parent / f'.latest.{os.getpid()}'
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(folder.name)
        os.replace(temporary, link)
    except OSError:  # a disk without symbolic links, or a folder of that name
        temporary.unlink(missing_ok=True)


def remove_run_folder(folder: Path) -> None:
    """Take away a folder in which no run began, and the folders above that it was made with."""
    shutil.rmtree(folder, ignore_errors=True)
    for parent in list(folder.parents)[:2]:
        try:
            parent.rmdir()
        except OSError:  # it holds other runs
            return


def begin_run_folder(parent: Path, config_hash: str, name: str | None = None
                     ) -> tuple[Path, 'RunLock']:
    """Create a run folder that nobody else has, and lock it; dead ones beside it are removed.

    Args:
        parent: The folder of the runs.
        config_hash: Of the run's config.
        name: Instead of `new_run_name`.

    Raises:
        UsageError: no folder can be made there.
    """
    remove_dead_folders(parent)
    name = name or new_run_name(config_hash, parent)
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

    def __enter__(self) -> 'RunLock':
        return self

    def __exit__(self, *error: object) -> None:
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
