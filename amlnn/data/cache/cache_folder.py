"""Folders of what can be computed again: one a key, under a root that never grows past its limit.

::

    <root>/<SHA-256 of the key>/key.json     what the folder holds, for people
    <root>/<SHA-256 of the key>/...          files of one SlotFile or more

The folders are this user's alone (mode 0700), and files in them are opened without following links:
in a root that others can write to, nothing is kept or read.

Who uses a folder holds a shared lock on it, and only folders that nobody holds are deleted to make
room, the longest unused first. Nothing that a disk can do raises here: a folder that cannot be
written says why once and goes on serving what it has.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmengine.logging import print_log

from amlnn.atomic import write_text
from amlnn.locks import take_lock
from amlnn.user_cache import cache_folder, not_private, open_private, private_folder

__all__ = ['CacheFolder', 'cache_root', 'default_limit', 'log_warning', 'readable_size']

FORMAT = 1
"""Of the files in a folder. It is part of every key, so that no version reads another's files."""

_KEEP_FREE = 1 << 30
"""Bytes that are left free on the disk, for the checkpoints of the run that fills the cache."""

_PATIENCE = 10.0
"""Seconds that another process may take to make room before this one goes on without writing."""

_DOOMED = '.{}.evicted'


def cache_root() -> Path:
    """`$AMLNN_CACHE`, else `amlnn/features` in the user's cache folder."""
    if chosen := os.environ.get('AMLNN_CACHE'):
        return Path(chosen).expanduser()
    return cache_folder() / 'features'


def default_limit(root: Path | str) -> int:
    """Bytes that all caches under `root` may have together: a quarter of theirs and the free ones.

    What they have counts as well, or a cache would shrink its own limit by growing.
    """
    root = Path(root)
    return (_free_bytes(root) + sum(_sizes(root).values())) // 4


def readable_size(size: int) -> str:
    """Bytes in the largest unit of which there is one.

    >>> readable_size(2_500_000_000), readable_size(2_000), readable_size(7)
    ('2.50 GB', '2.00 kB', '7 B')
    """
    for unit, power in (('GB', 9), ('MB', 6), ('kB', 3)):
        if size >= 10**power:
            return f'{size / 10**power:.2f} {unit}'
    return f'{size} B'


def log_warning(text: str) -> None:
    """Warn in the log of the run."""
    print_log(text, logger='current', level=30)


class CacheFolder:
    """The folder of one key, made or found again, and held until `close`.

    Args:
        root: What the limit is for.
        key: All that the content depends on, as JSON can write it. Equal keys share a folder.
        limit_bytes: Of the whole root; None is `default_limit`.
        warn: Gets a line for everything that keeps the cache from doing its work.
    """

    def __init__(self, root: Path | str, key: dict, limit_bytes: int | None = None,
                 warn: Callable[[str], None] = log_warning):
        content = {'format': FORMAT, **key}
        text = json.dumps(content, sort_keys=True, separators=(',', ':'), allow_nan=False)
        name = hashlib.sha256(text.encode()).hexdigest()
        self.root = Path(root).absolute()
        self.path = self.root / name
        self.salt = bytes.fromhex(name)
        """Goes into every checksum, so that no file of another folder is taken for this one's."""
        self.limit_bytes = default_limit(root) if limit_bytes is None else limit_bytes
        self.reason = ''
        """Why nothing is written any more; '' while it is."""
        self.warn = warn
        self.full = False
        """Whether there was no room for more files; those that are there can be written."""
        self._handle: int | None = None
        self._closed = False
        if not hasattr(os, 'preadv'):
            self.stop('this system has no positioned reads')
            return
        try:
            self._make_root()
            self._handle = self._hold()
            self._describe(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + '\n')
        except PermissionError as error:
            # Not ours alone: what is in it is not read either.
            self._closed = error.errno == 0
            self.stop(_why(error))
        except OSError as error:
            self.stop(_why(error))

    def stop(self, reason: str) -> None:
        """Write nothing any more, and say why, once."""
        if not self.reason:
            self.reason = reason
            self.warn(f'cache `{self.path}`: nothing more is kept: {reason}')

    def claim(self, sizes: dict[str, int]) -> list[int] | None:
        """Open files for reading and writing, with the disk space for all that will be in them.

        Disk space is taken before the first byte is written, so that a full disk is met here and
        not in the middle of a row.

        Args:
            sizes: Bytes by file name.

        Returns:
            A file handle each; None if there is no room or the folder cannot be written.
        """
        if self.reason or self.full:
            return None
        handles = []
        try:
            with self._room_for(sizes) as found:
                if found:
                    for name, size in sizes.items():
                        handles.append(open_private(self.path / name, os.O_RDWR | os.O_CREAT))
                        _allocate(handles[-1], size)
                    return handles
        except OSError as error:
            for handle in handles:
                os.close(handle)
            self.stop(_why(error))
        return None

    def open_for_reading(self, names: list[str]) -> list[int] | None:
        """A file handle each, or None if one of the files is not there or cannot be read."""
        handles = []
        if self._closed:
            return None
        try:
            for name in names:
                handles.append(open_private(self.path / name, os.O_RDONLY))
        except OSError:
            for handle in handles:
                os.close(handle)
            return None
        return handles

    def close(self) -> None:
        """Let others delete the folder when they need room."""
        if self._handle is not None:
            self._touch()
            os.close(self._handle)
            self._handle = None

    def _make_root(self) -> None:
        """Make the root, closed to others; no other may be able to write to one that is there."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.root.mkdir(mode=0o700)
        if reason := not_private(self.root, links=True):
            raise PermissionError(0, f'`{self.root}` is not safe: {reason}')

    def _hold(self) -> int:
        """A handle with a shared lock on the folder, which is still the one of that name."""
        for _ in _attempts():
            private_folder(self.path)
            # At any point before our lock, another process may delete the folder to make room.
            with suppress(FileNotFoundError, BlockingIOError):
                return take_lock(self.path, shared=True, follow=False)
        raise TimeoutError('another process has been deleting it for 10 seconds')

    def _describe(self, text: str) -> None:
        path = self.path / 'key.json'
        try:
            with os.fdopen(open_private(path, os.O_RDONLY), 'rb') as file:
                found = file.read().decode('utf-8', errors='replace')
        except FileNotFoundError:
            found = None
        if found == text:
            self._touch()
            return
        if found is not None:
            self.warn(f'`{path}` was damaged and is written anew')
        write_text(path, text)

    def _touch(self) -> None:
        """Set the time of last use, by which the folders to delete are chosen."""
        with suppress(OSError):  # a read-only folder
            os.utime(self.path / 'key.json', follow_symlinks=False)

    @contextmanager
    def _room_for(self, sizes: dict[str, int]) -> Iterator[bool]:
        """Have room for files under the lock of the root, so that nobody else takes it as well."""
        root = self._lock_root()
        try:
            need = sum(max(0, size - _size(self.path / name)) for name, size in sizes.items())
            yield not need or self._make_room(need)
        finally:
            os.close(root)

    def _lock_root(self) -> int:
        for _ in _attempts():
            with suppress(BlockingIOError):
                return take_lock(self.root)
        raise TimeoutError('another process has been making room for 10 seconds')

    def _make_room(self, need: int) -> bool:
        for path in self.root.glob(_DOOMED.format('*')):  # its deletion was interrupted
            shutil.rmtree(path, ignore_errors=True)
        sizes = _sizes(self.root)
        shortage = need - min(self.limit_bytes - sum(sizes.values()),
                              _free_bytes(self.root) - _KEEP_FREE)
        held = []
        try:
            for path in sorted(sizes, key=_last_use):
                if shortage <= 0:
                    break
                with suppress(OSError):  # deleted by hand, another user's, or in use, by us too
                    held.append((take_lock(path, follow=False), path))
                    shortage -= sizes[path]
            if shortage > 0:  # then nothing is deleted in vain
                self.full = True
                taken, free = sum(sizes.values()), _free_bytes(self.root)
                self.warn(f'cache `{self.path}`: {readable_size(need)} more would not fit: '
                          f'{readable_size(taken)} of {readable_size(self.limit_bytes)} taken, '
                          f'{readable_size(free)} free on the disk')
                return False
            for _, path in held:
                doomed = path.with_name(_DOOMED.format(path.name))
                path.rename(doomed)  # at once, so that nobody opens half a folder
                shutil.rmtree(doomed, ignore_errors=True)
        finally:
            for handle, _ in held:
                os.close(handle)
        return True


def _attempts() -> Iterator[None]:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        yield
        time.sleep(0.01)


def _allocate(handle: int, size: int) -> None:
    before = os.fstat(handle).st_size
    if before >= size:
        return
    try:
        if hasattr(os, 'posix_fallocate'):
            os.posix_fallocate(handle, 0, size)
        else:  # macOS
            os.ftruncate(handle, size)
    except OSError:
        with suppress(OSError):  # what was taken before the disk was full
            os.ftruncate(handle, before)
        raise


def _sizes(root: Path) -> dict[Path, int]:
    """Bytes of every cache folder under a root. Nothing else there is counted, or deleted."""
    with suppress(OSError):
        return {path: sum(_size(file) for file in path.iterdir()) for path in root.iterdir()
                if len(path.name) == 64 and not set(path.name) - set('0123456789abcdef')
                and not path.is_symlink()}
    return {}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _last_use(folder: Path) -> float:
    try:
        return (folder / 'key.json').stat().st_mtime
    except OSError:
        return 0.0


def _free_bytes(path: Path) -> int:
    """Free bytes of the disk on which a path is, or will be."""
    for folder in (path.absolute(), *path.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free
    return 0


def _why(error: OSError) -> str:
    return error.strerror or str(error)
