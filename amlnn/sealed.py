"""Files of PyTorch that carry a digest of themselves, and what is wrong with one that is damaged.

A checkpoint is a ZIP archive, and the comment at the end of an archive is free: it holds the
SHA-256 of everything before it. So the digest goes wherever the file goes, copied or renamed, and
PyTorch reads the file as before. Of archives that others wrote, the CRC-32 of every member is
checked: PyTorch writes them and does not look at them when it reads.
"""

import hashlib
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

__all__ = ['Digests', 'damage', 'file_sha256', 'seal', 'sealed_as']

_BLOCK = 1 << 20
_END = struct.Struct('<4s4H2LH')  # the end of a ZIP archive; its last field is a comment's length
_SIGNATURE = b'PK\x05\x06'
_WORD = b'sha256 of what is before: '
_COMMENT = len(_WORD) + 64


class Digests(NamedTuple):
    """Of a file that has just been sealed, hexadecimal SHA-256."""

    content: str
    """Of all before the comment: what the comment says."""
    file: str
    """Of the whole file."""


def seal(path: Path) -> Digests:
    """Write the digest of an archive into its comment.

    Args:
        path: A ZIP archive without a comment, as `torch.save` writes it.

    Raises:
        ValueError: it is no such file.
    """
    with open(path, 'rb+') as file:
        file.seek(-_END.size, 2)
        end = file.tell()
        fields = _END.unpack(file.read(_END.size))
        if fields[0] != _SIGNATURE or fields[-1] != 0:
            raise ValueError(f'`{path}` is no ZIP archive without a comment')
        file.seek(end)
        file.write(_END.pack(*fields[:-1], _COMMENT))
        file.seek(0)
        digest = hashlib.file_digest(file, 'sha256')
        comment = _WORD + digest.hexdigest().encode()
        file.seek(0, 2)
        file.write(comment)
    whole = digest.copy()
    whole.update(comment)
    return Digests(digest.hexdigest(), whole.hexdigest())


def sealed_as(path: Path) -> str | None:
    """The digest that a file carries, which may or may not be that of its content; None for none.

    Raises:
        OSError: it cannot be opened.
    """
    with open(path, 'rb') as file:
        size = file.seek(0, 2)
        if size < _END.size + _COMMENT:
            return None
        file.seek(size - _COMMENT)
        comment = file.read()
    if not comment.startswith(_WORD):
        return None
    return comment.removeprefix(_WORD).decode('ascii', 'replace')


def damage(path: Path) -> str:
    """What is wrong with the bytes of a file, in words; '' for nothing that can be told.

    A file that is neither sealed nor an archive says nothing of itself.

    Raises:
        OSError: it cannot be read.
    """
    said = sealed_as(path)
    if said is not None:
        with open(path, 'rb') as file:
            left = file.seek(0, 2) - _COMMENT
            file.seek(0)
            digest = hashlib.sha256()
            while left and (block := file.read(min(_BLOCK, left))):
                digest.update(block)
                left -= len(block)
        return '' if digest.hexdigest() == said else \
            'its bytes are not those that were written: their SHA-256 is not the one it carries'
    with open(path, 'rb') as file:
        begin = file.read(2)
    if not begin:
        return 'it is empty'
    if begin != b'PK':
        return ''
    try:
        with zipfile.ZipFile(path) as archive:
            name = archive.testzip()
        if not _ends_whole(path):
            raise EOFError('its end is not where it says')
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError,
            struct.error) as error:
        return f'it is cut short or damaged: {error}'
    return '' if name is None else f'its bytes are not those that were written: CRC-32 of `{name}`'


def _ends_whole(path: Path) -> bool:
    """Whether the comment of an archive is as long as it says, and no half of a digest."""
    with open(path, 'rb') as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END.size - (1 << 16)))
        tail = file.read()
    place = tail.rfind(_SIGNATURE)
    length = int(_END.unpack_from(tail, place)[-1])
    return place + _END.size + length == len(tail) and length != _COMMENT


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
