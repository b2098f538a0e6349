"""A zip or tar archive becomes a folder, and nothing outside of that folder."""

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from amlnn.errors import DataError

__all__ = ['unpack']


def unpack(archive: Path, folder: Path, *, root: str | None, most_bytes: int,
           show: Callable[[int], None]) -> int:
    """Unpack the files and folders of `archive` into `folder`.

    Args:
        archive: A zip file, or a tar file in any compression that Python reads.
        folder: Where to put them; it exists.
        root: The one folder that all of them have to lie in; None for any.
        most_bytes: More than this is refused before it is written.
        show: Called with how many bytes of the archive are behind.

    Returns:
        How many files.

    Raises:
        DataError: the archive is damaged, or holds a link, a device, a path out of `folder`, or
            too much.
    """
    files, done, folders = 0, 0, set()
    try:
        for name, size, behind, content in _members(archive):
            done += size
            if done > most_bytes:
                raise _bad(archive, f'unpacks to more than {most_bytes / 1e6:.0f} MB')
            path = folder / _checked(archive, name, root)
            parent = path if content is None else path.parent
            if parent not in folders:
                parent.mkdir(parents=True, exist_ok=True)
                folders.add(parent)
            if content is not None:
                files += 1
                with content() as source, open(path, 'xb') as target:
                    shutil.copyfileobj(source, target)
            show(behind)
    except FileExistsError as error:
        raise _bad(archive, f'holds `{Path(error.filename).name}` twice') from error
    # zlib and lzma name their own errors, and zipfile raises RuntimeError for an encrypted file.
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError, ValueError,
            *_decoding_errors()) as error:
        raise _bad(archive, f'is damaged: {error}') from error
    return files


def _members(archive: Path) -> Iterator[tuple[str, int, int, Callable[[], IO[bytes]] | None]]:
    """Name, bytes, place in the archive, and how to open the content, which a folder has not."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise _bad(archive, f'holds `{info.filename}`, which is no file and no folder')
                # A content longer than this size fails in zipfile: it is cut, and its CRC differs.
                yield info.filename, info.file_size, info.header_offset, \
                    None if info.is_dir() else lambda info=info: opened.open(info)
        return
    with open(archive, 'rb') as file, tarfile.open(fileobj=file) as opened:
        for member in opened:
            if not member.isfile() and not member.isdir():
                raise _bad(archive, f'holds `{member.name}`, which is no file and no folder')
            # What filter='data' of tarfile does for names, links and modes is done here for both
            # kinds of archive: names are checked, links are refused, and modes are not taken over.
            yield member.name, member.size, file.tell(), \
                None if member.isdir() else lambda member=member: opened.extractfile(member)


def _checked(archive: Path, name: str, root: str | None) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or '..' in path.parts or '\\' in name or ':' in name or '\0' in name \
            or (root is not None and path.parts[:1] != (root,)):
        where = f'does not lie in `{root}`' if root else 'leads out of it'
        raise _bad(archive, f'holds `{name}`, which {where}')
    return path


def _decoding_errors() -> list[type[Exception]]:
    import lzma
    import zlib
    return [zlib.error, lzma.LZMAError]


def _bad(archive: Path, what: str) -> DataError:
    return DataError(f'`{archive}` {what}', hint='delete it and run the same command again')
