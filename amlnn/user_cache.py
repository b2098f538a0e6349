"""Where amlnn caches what it can compute again, in folders that nobody else can write to.

In a shared place such as /tmp another user could have made the folder before, or planted a link in
it. So a folder is this user's, no link, and closed to others (mode 0700), and its files are opened
without following links; what is otherwise is not used, in one line.
"""

import hashlib
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ['cache_folder', 'not_private', 'open_private', 'private_folder', 'read_cached',
           'read_cached_bytes', 'write_cached', 'write_cached_bytes']

_PRIVATE = 0o700
_DIGEST = 32  # bytes
_warned: set[str] = set()


def cache_folder() -> Path:
    """`amlnn` where the user's system keeps caches: `$XDG_CACHE_HOME`, or `~/.cache` on Linux.

    Where a system keeps them elsewhere, a cache that is in `~/.cache` already goes on being used.
    """
    # Help and usage errors need no cache, and do not wait for the import.
    from platformdirs import user_cache_path
    earlier = Path.home() / '.cache' / 'amlnn'
    if not os.environ.get('XDG_CACHE_HOME') and earlier.is_dir():
        return earlier
    return user_cache_path('amlnn', appauthor=False)


def private_folder(path: Path, links: bool = False) -> None:
    """Make a folder that is this user's alone, or see that one is.

    One of this user's own that others may read is closed to them.

    Args:
        path: The folder.
        links: As of `not_private`.

    Raises:
        PermissionError: it is another user's, or others can write to it; it is a link to a folder.
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=_PRIVATE)
    if reason := not_private(path, links):
        raise PermissionError(0, reason, str(path))
    if hasattr(os, 'getuid') and stat.S_IMODE(path.stat().st_mode) != _PRIVATE:
        with suppress(OSError):  # a disk that keeps no modes
            path.chmod(_PRIVATE)


def not_private(path: Path, links: bool = False) -> str:
    """Why a folder is not safe to keep files in; '' where it is, or is not there.

    Args:
        path: The folder.
        links: Let it be a link of this user's own, in a folder that no other can write to.
    """
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            if not links or not_private(path.parent) or not _own(found):
                return 'it is a link'
            found = path.stat()
    except OSError:
        return ''
    if not stat.S_ISDIR(found.st_mode):
        return 'it is no folder'
    if not hasattr(os, 'getuid'):  # Windows, where a home is its user's
        return ''
    if not _own(found):
        return 'it belongs to another user'
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f'others can write to it (mode {stat.S_IMODE(found.st_mode):o}); chmod 700 closes it'
    return ''


def _own(found: os.stat_result) -> bool:
    return not hasattr(os, 'getuid') or found.st_uid == os.getuid()


def open_private(path: Path, flags: int) -> int:
    """Open a file for this user alone, unless it is a link; the handle.

    Raises:
        OSError: it is a link, or cannot be opened.
    """
    return os.open(path, flags | getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_CLOEXEC', 0), 0o600)


def read_cached(kind: str, name: str) -> str | None:
    """What was written under a name; None where there is nothing, or nothing that can be read.

    Args:
        kind: A folder of the cache: 'signatures', say.
        name: Of a file in it.
    """
    found = _read(kind, name)
    with suppress(UnicodeError):
        return None if found is None else found.decode('utf-8')
    return None


def read_cached_bytes(kind: str, name: str) -> bytes | None:
    """The same of bytes, which are as they were written, or None."""
    found = _read(kind, name)
    if found is None or hashlib.sha256(found[_DIGEST:]).digest() != found[:_DIGEST]:
        return None
    return found[_DIGEST:]


def _read(kind: str, name: str) -> bytes | None:
    folder = cache_folder()
    if not _usable(folder, kind):
        return None
    with suppress(OSError), os.fdopen(
            open_private(folder / kind / name, os.O_RDONLY), 'rb') as file:
        return file.read()
    return None


def write_cached(kind: str, name: str, text: str) -> None:
    """Keep a text under a name. Where that cannot be done, it costs time and nothing else."""
    _write(kind, name, text.encode('utf-8'))


def write_cached_bytes(kind: str, name: str, content: bytes, most: int | None = None) -> None:
    """The same of bytes, with a digest of them.

    Args:
        kind: A folder of the cache.
        name: Of a file in it.
        content: Of the file.
        most: So many files are left in the folder, those that were written last.
    """
    _write(kind, name, hashlib.sha256(content).digest() + content, most)


def _write(kind: str, name: str, content: bytes, most: int | None = None) -> None:
    from amlnn.atomic import replacing
    folder = cache_folder()
    if _usable(folder, kind):
        with suppress(OSError):
            private_folder(folder, links=True)
            private_folder(folder / kind)
            with replacing(folder / kind / name) as temporary:
                temporary.write_bytes(content)
            if most is not None:
                files = sorted((folder / kind).iterdir(), key=lambda path: path.lstat().st_mtime)
                for path in files[:max(0, len(files) - most)]:
                    path.unlink()


def _usable(top: Path, kind: str) -> bool:
    for folder, reason in ((top, not_private(top, links=True)), (top / kind, not_private(
            top / kind))):
        if reason:
            if str(folder) not in _warned:
                _warned.add(str(folder))
                print(f'note: the cache `{folder}` is not used: {reason}', file=sys.stderr)
            return False
    return True
