"""Locks on files and folders that the system frees when their process ends, however it ends.

These are flock's, which take a folder itself, so that none leaves a file in a run, and which any
number can share. The `filelock` package has neither: it opens a file of its own to write to it,
which no folder can be, and keeps the locks that are shared in a database.
"""

import errno
import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # a module elsewhere

__all__ = ['Alone', 'NoLocksError', 'is_named', 'take_lock']


class NoLocksError(OSError):
    """The system, or the disk, has no locks."""


def take_lock(path: Path, shared: bool = False, create: bool = False,
              follow: bool = True) -> int:
    """Take the lock on what `path` names at this moment, at once or not at all.

    Args:
        path: A file or a folder.
        shared: Let others share it; only who wants it alone is kept out.
        create: Make a file where there is none, or none any more.
        follow: Let it be a link to a file or a folder.

    Returns:
        A handle. Closing it (`os.close`), and any end of the process, gives the lock back.

    Raises:
        BlockingIOError: another process, or another handle of this one, has it.
        NoLocksError: nobody can have it; what it was to prevent is up to the caller.
        FileNotFoundError: nothing has that name, or something else has it since.
        OSError: it cannot be opened.
    """
    while True:
        flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
        handle = os.open(path, flags if follow else flags | getattr(os, 'O_NOFOLLOW', 0), 0o666)
        try:
            _lock(handle, shared)
            ours = is_named(handle, path)
        except BaseException:
            os.close(handle)
            raise
        if ours:
            return handle
        # Who had it before deleted it between our open and our lock.
        os.close(handle)
        if not create:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _lock(handle: int, shared: bool) -> None:
    if fcntl is None:
        raise NoLocksError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        raise NoLocksError(*error.args) from None


def is_named(handle: int, path: Path) -> bool:
    """Whether what is open has this name still."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


class Alone:
    """Lets one process at a time into a block; others wait. A disk without locks lets all in.

    Args:
        path: A file that is made for it.
    """

    def __init__(self, path: Path):
        self._path = path
        self._handle: int | None = None

    def __enter__(self) -> None:
        while True:
            try:
                self._handle = take_lock(self._path, create=True)
            except BlockingIOError:
                time.sleep(0.02)
                continue
            except NoLocksError:
                pass
            return

    def __exit__(self, *error: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
