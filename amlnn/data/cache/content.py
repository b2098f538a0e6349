"""A hash of what the files of a data set hold, kept so that they are read through only once."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from amlnn.errors import DataError
from amlnn.sealed import file_sha256
from amlnn.user_cache import read_cached, write_cached

__all__ = ['hash_of_files']

_FEW = 32
"""Files that are read through each time: finding a kept hash would take as long."""

_TOGETHER = 256
"""Files that one thread reads at a time."""


def hash_of_files(root: Path | str, files: Iterable[str]) -> str:
    """SHA-256 over the names and contents of files, the same wherever they lie.

    The hash of many files is kept in the user's cache folder by their names, sizes and times of
    change. Where a time changed and nothing else, the files are read again and give the same hash.

    Args:
        root: The folder that the names are relative to.
        files: Names below it, with forward slashes, in any order.

    Raises:
        DataError: a file is not there or cannot be read.
    """
    root, names = Path(root), sorted(files)
    try:
        if len(names) <= _FEW:
            return _hash(root, names)
        rows = []
        for name in names:
            state = (root / name).stat()
            rows.append(f'{name}\0{state.st_size}\0{state.st_mtime_ns}')
        key = hashlib.sha256('\n'.join([str(root.absolute()), *rows]).encode()).hexdigest()
        if len(text := (read_cached('contents', key) or '').strip()) == 64:
            return text
        found = _hash(root, names)
    except OSError as error:
        raise DataError(f'`{error.filename}` cannot be read: {error.strerror}',
                        hint='check the files of the data set') from None
    write_cached('contents', key, found + '\n')
    return found


def _hash(root: Path, names: list[str]) -> str:
    def some(names: list[str]) -> list[str]:
        rows = []
        for name in names:
            rows.append(f'{name}\0{file_sha256(root / name)}')
        return rows

    groups = [names[start:start + _TOGETHER] for start in range(0, len(names), _TOGETHER)]
    with ThreadPoolExecutor() as pool:
        rows = [row for group in pool.map(some, groups) for row in group]
    return hashlib.sha256('\n'.join(rows).encode()).hexdigest()
