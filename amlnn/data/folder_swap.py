"""A folder that appears whole or not at all, and whose predecessor survives until it does."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from amlnn.errors import DataError
from amlnn.locks import NoLocksError, take_lock

__all__ = ['fsync_path', 'locked', 'replacing_folder', 'work_folder']


def work_folder(target: Path) -> Path:
    """Where a run keeps what is not finished: beside `target`, so that a rename is enough."""
    return target.with_name(f'.{target.name}.amlnn-work')


def _is_prepared(names: set[str]) -> bool:
    return 'training_set' in names and bool(names & {'classes.txt', 'manifest.json'})


@contextmanager
def replacing_folder(target: Path, overwrite: bool,
                     is_data_set: Callable[[set[str]], bool] = _is_prepared) -> Iterator[Path]:
    """Yield an empty work folder beside `target`; its `new` becomes `target` on a clean exit.

    The swap is three renames: `target` to `old` in the work folder, `new` to `target`, `old` to
    `rubbish`, which is then deleted. A crash between the first two leaves `old` whole, and the next
    run puts it back before it does anything else. What an earlier crash left is deleted only under
    a lock on `target`, so a run that is still going is never disturbed.

    Args:
        target: The folder to make or replace, an absolute path.
        overwrite: Replace a data set that is there. Anything but a data set is never replaced.
        is_data_set: Tells from the names in a folder whether it is a data set of the kind to make.

    Raises:
        DataError: `target` is there and may not be replaced, or another run is writing it.
    """
    work = work_folder(target)
    for parent in target.parents:
        if parent.exists() and not parent.is_dir():
            raise DataError(f'`{parent}` is a file, so `{target}` cannot be made',
                            hint='name a folder to write the data set to')
    made = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    done = False
    try:
        with locked(target):
            _clear(work, target)
            _refuse_existing(target, overwrite, is_data_set)
            work.mkdir()
            try:
                yield work
                # Somebody may have made it since.
                _refuse_existing(target, overwrite, is_data_set)
                _swap(work, target)
                done = True
            finally:
                _clear(work, target)
    finally:
        if not done:
            for parent in made:
                with suppress(OSError):  # in use by now
                    parent.rmdir()


def fsync_path(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder, before anything relies on them."""
    with suppress(OSError):  # some file systems, and folders on Windows, cannot
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(work: Path, target: Path) -> None:
    if target.exists():
        target.replace(work / 'old')
    (work / 'new').replace(target)
    fsync_path(target.parent)
    if (work / 'old').exists():
        # From here on it is no longer what a crash should bring back, and deleting takes a while.
        (work / 'old').replace(work / 'rubbish')


def _clear(work: Path, target: Path) -> None:
    """Delete a work folder, after putting back what had only been moved aside."""
    if (work / 'old').exists() and not target.exists():
        (work / 'old').replace(target)
    if work.exists():
        shutil.rmtree(work)


def _refuse_existing(target: Path, overwrite: bool,
                     is_data_set: Callable[[set[str]], bool]) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise DataError(f'`{target}` is a file', hint='name a folder to write the data set to')
    names = {entry.name for entry in target.iterdir()}
    if not names:
        return
    # A slip of the hand, such as naming one's home folder, must not delete it.
    if not is_data_set(names):
        raise DataError(f'`{target}` is not empty, and no data set that could be replaced',
                        hint='name a folder that does not exist yet')
    if not overwrite:
        raise DataError(f'`{target}` exists',
                        hint='name another folder, or add --overwrite to replace this one')


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock on `target`: a file beside it that the system frees when the process ends."""
    path = target.with_name(f'.{target.name}.amlnn-lock')
    handle = None
    try:
        handle = take_lock(path, create=True)
    except BlockingIOError:
        raise DataError(f'another run is writing `{target}` at this moment',
                        hint='wait for it, or name another folder') from None
    except NoLocksError:
        pass  # a network disk: two runs at a time are not noticed
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        if handle is not None:
            os.close(handle)
