"""An archive instead of a folder: unpacked beside the data set, for as long as it is prepared."""

import shutil
import tarfile
import zipfile
from pathlib import Path

from amlnn.data.fetch.unpack import unpack
from amlnn.data.prepare.sources import entries, is_hidden
from amlnn.errors import DataError

__all__ = ['is_archive', 'unpack_source']

SMALLEST_LIMIT = 2 * 10**9
LARGEST_GROWTH = 100
"""Bytes that an archive may unpack to, and how many times its own. Images hardly shrink in one."""


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive that Python reads."""
    if not path.is_file():
        return False
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except (OSError, EOFError):
        return False


def unpack_source(archive: Path, folder: Path) -> Path:
    """Unpack an archive, and find what is to be prepared in it.

    Args:
        archive: A zip or tar file.
        folder: Where to; it is made.

    Returns:
        The folder that holds more than one folder: archives often hold all in one.

    Raises:
        DataError: it is damaged, holds links, devices or paths that lead out, or is too large.
    """
    folder.mkdir()
    size, free = archive.stat().st_size, shutil.disk_usage(folder).free
    most = min(max(SMALLEST_LIMIT, LARGEST_GROWTH * size), int(free * 0.9))
    try:
        unpack(archive, folder, root=None, most_bytes=most, show=lambda _: None)
    except DataError as error:
        raise DataError(error.message, hint='unpack it by hand into a folder, look at what is in '
                        'it, and give that folder') from error
    root = folder
    while True:
        inside = [path for path in entries(root) if not is_hidden(path.name)]
        if len(inside) != 1 or not inside[0].is_dir():
            return root
        root = inside[0]
