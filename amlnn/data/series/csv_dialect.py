"""How a text file is written: its encoding, and what stands between its cells."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

from amlnn.errors import DataError

__all__ = ['conclude_delimiter', 'encodings_of', 'open_rows']

_DELIMITERS = (',', ';', '\t', '|')
_SAMPLE = 20  # rows


def encodings_of(path: Path, encoding: str | None) -> list[str]:
    """Encodings to try, the first that fits counts.

    Args:
        path: The file.
        encoding: What is known; None to find it out.

    Raises:
        DataError: nobody knows the encoding that is given.
        OSError: the file cannot be read.
    """
    if encoding is not None:
        try:
            ''.encode(encoding)  # which codecs between bytes refuse: 'zip', 'hex'
        except (LookupError, ValueError):
            raise DataError(f'encoding={encoding!r} is not an encoding',
                            hint="'utf-8', 'utf-16', 'latin-1', 'cp1252', say") from None
        return ['utf-8-sig' if encoding.lower().replace('_', '-') in ('utf-8', 'utf8')
                else encoding]
    with path.open('rb') as file:
        begin = file.read(200)
    if begin.startswith((b'\xff\xfe', b'\xfe\xff')):
        return ['utf-16']
    if b'\0' in begin[:4]:
        return ['utf-16-le' if begin[:1] != b'\0' else 'utf-16-be']
    return ['utf-8-sig', 'cp1252']


def conclude_delimiter(path: Path, encoding: str, skip_lines: int = 0) -> str:
    """What stands between the cells: what divides the first lines into as many each.

    Raises:
        UnicodeDecodeError: the file is not in this encoding.
        OSError: it cannot be read.
    """
    with path.open(encoding=encoding, newline='') as file:
        lines = list(itertools.islice(file, skip_lines, skip_lines + _SAMPLE))
    best, most = ',', (0.5, 1)
    for delimiter in _DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not rows or len(rows[0]) < 2:
            continue
        share = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if (share, len(rows[0])) > most:
            best, most = delimiter, (share, len(rows[0]))
    return best


def open_rows(path: Path, encoding: str, delimiter: str,
              skip_lines: int = 0) -> Iterator[tuple[list[str], int]]:
    """Rows of cells, each with the line of the file in which it ends.

    Raises:
        UnicodeDecodeError, csv.Error, OSError: the file is not such a one.
    """
    with path.open(encoding=encoding, newline='') as file:
        for _ in range(skip_lines):
            file.readline()
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        for row in reader:
            yield row, reader.line_num + skip_lines
