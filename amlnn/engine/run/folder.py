"""Run folders: locked, found again, taken away. `amlnn/run_folder.py` makes them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

from amlnn.errors import UsageError
from amlnn.locks import NoLocksError, take_lock
from amlnn.records import read_run
from amlnn.run_folder import create_run_folder, new_run_name, point_latest, utc_now

__all__ = ['RunLock', 'checkpoint_run', 'create_run_folder', 'find_unfinished', 'name_within',
           'named_run', 'new_run_name', 'point_latest', 'remove_run_folder', 'utc_now']


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

