"""Files that appear whole or not at all."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ['copy_whole', 'fsync_path', 'left_over', 'link_or_copy', 'replacing', 'write_json',
           'write_text']

# The name of a file that is being written, as `replacing` makes it.
_TEMPORARY = re.compile(r'\..+\.\d+\.[0-9a-f]{8}(\.\w+)?')


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it becomes `path` in one step.

    The bytes are on the disk before the name is: flush, fsync, rename, fsync of the folder. After
    an exception the temporary file is gone and whatever `path` was before is untouched.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / 'a.txt'
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text('whole')
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: numpy and matplotlib choose a format, or add an ending, by it.
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.{secrets.token_hex(4)}{path.suffix}')
    try:
        yield temporary
        with open(temporary, 'rb+') as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        fsync_path(path.parent)
    finally:
        with suppress(OSError):
            # Whoever failed in writing may hold it open, and with it a full disk's last space.
            os.truncate(temporary, 0)
        temporary.unlink(missing_ok=True)


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
    with replacing(target) as temporary:
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
