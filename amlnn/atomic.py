"""Files that appear whole or not at all."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from amlnn.locks import NoLocksError, is_named, take_lock

__all__ = ['copy_whole', 'fsync_path', 'left_over', 'link_or_copy', 'replacing', 'write_json',
           'write_text']

# The name of a file that is being written, as `replacing` makes it.
_TEMPORARY = re.compile(r'\..+\.\d+\.[0-9a-f]{8}(\.\w+)?')


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it becomes `path` in one step.

    The bytes are on the disk before the name is: flush, fsync, rename, fsync of the folder. After
    an exception the temporary file is gone and whatever `path` was before is untouched. What a
    killed process leaves has the name that the next who writes `path` takes, so nothing gathers.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / 'a.txt'
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text('whole')
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = _beside(path, 0, '0' * 8)
    handle = _taken(name)
    if handle is None:
        name = _beside(path, os.getpid(), secrets.token_hex(4))
    try:
        with _moved_or_gone(name, path, handle):
            yield name
    finally:
        if handle is not None:
            os.close(handle)


def _beside(path: Path, number: int, word: str) -> Path:
    # The suffix stays last: numpy and matplotlib choose a format, or add an ending, by it.
    return path.with_name(f'.{path.stem}.{number}.{word}{path.suffix}')


def _taken(name: Path) -> int | None:
    """An empty file of this name that nobody else writes, locked; None where it cannot be had."""
    try:
        handle = take_lock(name, create=True, follow=False)
    except NoLocksError:
        name.unlink(missing_ok=True)  # of nobody: without locks the name is never taken
        return None
    except OSError:  # somebody writes it at this moment, or it is no file
        return None
    found = os.fstat(handle)
    # In a folder where anybody may write, others can make what has a name that is known.
    if found.st_nlink > 1 or found.st_uid != getattr(os, 'geteuid', lambda: found.st_uid)():
        os.close(handle)
        return None
    os.truncate(handle, 0)
    return handle


@contextmanager
def _moved_or_gone(temporary: Path, path: Path, handle: int | None = None) -> Iterator[None]:
    """What a block writes to `temporary` becomes `path`, or is no more."""
    try:
        yield
        with open(temporary, 'rb+') as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        # A signal may come when the name is free again, and taken by another.
        if handle is None or is_named(handle, temporary):
            with suppress(OSError):
                # Whoever failed in writing may hold it open, and with it a full disk's last space.
                os.truncate(temporary, 0)
            temporary.unlink(missing_ok=True)
        raise
    fsync_path(path.parent)


def left_over(folder: Path) -> Iterator[Path]:
    """Files in a folder that `replacing` began and a killed process never finished.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / '.run.12.0a1b2c3d.json').write_text('{'), (folder / 'run.json').write_text('')
    >>> [path.name for path in left_over(folder)]
    ['.run.12.0a1b2c3d.json']
    """
    return (path for path in folder.glob('.*') if _TEMPORARY.fullmatch(path.name))


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path: Path | str, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all. NaN and infinity are refused.

    A file name that is no UTF-8 is read back as it was: its bytes become JSON's escapes.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text.encode('utf-8', 'backslashreplace').decode('utf-8') + '\n')


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Make `target` the same file as `source`: a hard link where the disk has them, else a copy."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target, os.getpid(), secrets.token_hex(4))  # no file yet, as a link asks
    with _moved_or_gone(temporary, target):
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def copy_whole(source: Path | str, target: Path | str) -> None:
    """Copy a file; `target` appears whole or not at all, and shares nothing with `source`."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def fsync_path(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder, before anything relies on them."""
    with suppress(OSError):  # some file systems, and folders on Windows, cannot
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
