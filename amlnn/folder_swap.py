"""A folder that appears whole or not at all, and whose predecessor survives until it does."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from amlnn.atomic import fsync_path
from amlnn.errors import DataError
from amlnn.locks import NoLocksError, take_lock

__all__ = ['locked', 'replacing_folder', 'work_folder']


def work_folder(target: Path) -> Path:
    """Where a run keeps what is not finished: beside `target`, so that a rename is enough."""
    return target.with_name(f'.{target.name}.amlnn-work')


def _nothing(old: Path) -> list[Path]:
    return []


@contextmanager
def replacing_folder(target: Path, overwrite: bool, is_ours: Callable[[set[str]], bool],
                     what: str = 'data set', kept: Callable[[Path], list[Path]] = _nothing
                     ) -> Iterator[Path]:
    """Yield an empty work folder beside `target`; its `new` becomes `target` on a clean exit.

    The swap is three renames: `target` to `old` in the work folder, `new` to `target`, `old` to
    `rubbish`, which is then deleted. A crash between the first two leaves `old` whole, and the next
    run puts it back before it does anything else. What an earlier crash left is deleted only under
    a lock on `target`, so a run that is still going is never disturbed.

    Args:
        target: The folder to make or replace, an absolute path.
        overwrite: Replace one that is there. What is not of the kind to make is never replaced.
        is_ours: Tells from the names in a folder whether it is of the kind to make.
        what: That kind, for messages.
        kept: What in the old folder moves into the new one, which has it under no such name yet.

    Raises:
        DataError: `target` is there and may not be replaced, or another run is writing it.
    """
    work = work_folder(target)
    for parent in target.parents:
        if parent.exists() and not parent.is_dir():
            raise DataError(f'`{parent}` is a file, so `{target}` cannot be made',
                            hint=f'name a folder to write the {what} to')
    made = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    done = False
    try:
        with locked(target):
            _clear(work, target, kept)
            _refuse_existing(target, overwrite, is_ours, what)
            work.mkdir()
            try:
                yield work
                # Somebody may have made it since.
                _refuse_existing(target, overwrite, is_ours, what)
                _swap(work, target, kept)
                done = True
            finally:
                _clear(work, target, kept)
    finally:
        if not done:
            for parent in made:
                with suppress(OSError):  # in use by now
                    parent.rmdir()


def _swap(work: Path, target: Path, kept: Callable[[Path], list[Path]]) -> None:
    if target.exists():
        target.replace(work / 'old')
    (work / 'new').replace(target)
    fsync_path(target.parent)
    _retire(work, target, kept)


def _retire(work: Path, target: Path, kept: Callable[[Path], list[Path]]) -> None:
    """Take out of the old folder what is kept, and give the rest up."""
    if not (work / 'old').exists():
        return
    for path in kept(work / 'old'):
        if not (target / path.name).exists():
            path.replace(target / path.name)
    # From here on it is no longer what a crash should bring back, and deleting takes a while.
    (work / 'old').replace(work / 'rubbish')


def _clear(work: Path, target: Path, kept: Callable[[Path], list[Path]]) -> None:
    """Delete a work folder, after ending or taking back the swap that was begun."""
    if (work / 'old').exists() and not target.exists():
        (work / 'old').replace(target)
    _retire(work, target, kept)
    if work.exists():
        shutil.rmtree(work)


def _refuse_existing(target: Path, overwrite: bool, is_ours: Callable[[set[str]], bool],
                     what: str) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise DataError(f'`{target}` is a file', hint=f'name a folder to write the {what} to')
    names = {entry.name for entry in target.iterdir()}
    if not names:
        return
    # A slip of the hand, such as naming one's home folder, must not delete it.
    if not is_ours(names):
        raise DataError(f'`{target}` is not empty, and no {what} that could be replaced',
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
