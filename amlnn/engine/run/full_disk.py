"""How a disk that takes no more is told from what libraries make of it, and said to the user."""

import errno
import os
import shlex
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from amlnn.errors import RunFailed

__all__ = ['Reserve', 'Watched', 'disk_failure']

# Not enough room, or a disk that fails: the run was right, and can go on elsewhere or later.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_OF_DISKS = (*_NO_ROOM, errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV)


class Watched:
    """A file for PyTorch to write into, whose own error is raised in place of PyTorch's.

    Of a disk that is full PyTorch says 'unexpected pos', or a file of C++.

    Args:
        file: Open for writing.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        self._error: OSError | None = None

    def write(self, data) -> int:
        """Write, and remember what went wrong."""
        try:
            return self._file.write(data)
        except OSError as error:
            self._error = self._error or error
            raise

    def flush(self) -> None:
        """Bring what was written to the system."""
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._error is not None:
            raise OSError(*self._error.args) from None


class Reserve:
    """A few bytes of the disk, given back where there are no others: for the end of the record.

    Args:
        folder: The run folder.
    """

    SIZE = 1 << 18

    def __init__(self, folder: Path):
        self.path = folder / '.reserve'

    def take(self) -> None:
        """Take them, if they are there."""
        with suppress(OSError):
            self.path.write_bytes(os.urandom(self.SIZE))

    def give_back(self) -> None:
        """Let go of them."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def disk_failure(error: BaseException, folder: Path, saved: Path | None) -> RunFailed | None:
    """What to tell of an error of the disk that a run is written to; None if it is another error.

    Args:
        error: What was raised.
        folder: The run folder.
        saved: Its newest checkpoint.
    """
    seen: BaseException | None = error
    while seen is not None and not (isinstance(seen, OSError) and seen.errno in _OF_DISKS):
        seen = seen.__cause__ or seen.__context__
    if seen is None:
        return None
    assert isinstance(seen, OSError)
    kept = f'; `{saved}` is its newest checkpoint' if saved else '; it has no checkpoint yet'
    full = seen.errno in _NO_ROOM
    return RunFailed(f'`{folder}` cannot be written: {os.strerror(seen.errno or 0)}{kept}',
                     hint=('make room on that disk, then ' if full else 'where it can be written: ')
                     + f'go on: add --resume {shlex.quote(str(folder))}')
