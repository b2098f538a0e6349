"""Run folders: named, locked, found again."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from amlnn.errors import RunFailed, UsageError
from amlnn.locks import NoLocksError, take_lock
from amlnn.records import read_run

__all__ = ['RunLock', 'checkpoint_run', 'create_run_folder', 'find_unfinished', 'name_within',
           'new_run_name', 'point_latest', 'remove_run_folder', 'utc_now']


def utc_now() -> str:
    """The time as ISO 8601, to the second."""
    return datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')


def new_run_name(config_hash: str) -> str:
    """`<UTC time>-<short hash>`; sorts by time."""
    return f'{datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")}-{config_hash[:8]}'


def create_run_folder(parent: Path, name: str) -> Path:
    """Create a folder that no other run has, adding a number where the name is taken."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f'{name}-{number}')
        try:
            folder.mkdir()
        except FileExistsError:  # started in the same second
            continue
        return folder
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


def find_unfinished(parent: Path) -> Iterator[Path]:
    """The run folders under `parent` that are not done, newest first."""
    candidates = sorted((path.parent for path in parent.glob('*/run.json')
                         if not path.parent.is_symlink()), reverse=True)
    return (folder for folder in candidates if read_run(folder).status != 'done')


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

    def __init__(self, folder: Path):
        self._handle = None
        with suppress(NoLocksError):
            try:
                self._handle = take_lock(folder)
            except BlockingIOError:
                raise UsageError(f'another process is writing `{folder}`',
                                 hint='wait for it to end, or stop it') from None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._handle is not None:
            os.close(self._handle)

