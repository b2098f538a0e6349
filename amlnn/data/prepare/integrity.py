"""Whether the files of a prepared data set are still those that its manifest names."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from amlnn.data.prepare.manifest import (
    NAME,
    SPLIT_FOLDERS,
    ImageRecord,
    Manifest,
    read_manifest,
)
from amlnn.errors import DataError
from amlnn.foreign_texts import read_lines
from amlnn.sealed import file_sha256

__all__ = ['check_files', 'check_list', 'find_changes', 'list_faults']


def check_files(data_root: Path | str, split: str) -> None:
    """Refuse a data set with a file that is gone or changed, before anything is trained on it.

    Sizes are compared for every file, contents only for files that are younger than the manifest,
    so that an untouched data set costs one look-up a file. A folder without a manifest was made
    otherwise and is not checked.

    Raises:
        DataError: names the first such file, and how many there are.
    """
    root = Path(data_root)
    if not (root / NAME).is_file():
        return
    check_list(root, split, read_manifest(root))
    faults = [f'`{path}` {fault}' for path, fault in find_changes(data_root, split).items()]
    if faults:
        more = f' (and {len(faults) - 1} more)' if len(faults) > 1 else ''
        raise DataError(f'{faults[0]}{more} since the data set was prepared',
                        hint='prepare it again: python data_preprocess.py <folder of class folders>'
                        f' {shlex.quote(str(data_root))} --overwrite')


def find_changes(data_root: Path | str, split: str) -> dict[Path, str]:
    """The files of a split that are gone or changed, as `check_files` says, and what they are now.

    Raises:
        DataError: the manifest cannot be read.
    """
    root = Path(data_root)
    if not (root / NAME).is_file():
        return {}
    written = (root / NAME).stat().st_mtime
    images = [image for image in read_manifest(root).images if image.split == split]

    def fault(image: ImageRecord) -> tuple[Path, str]:
        path = root / SPLIT_FOLDERS[split] / image.file
        try:
            found = path.stat()
        except (OSError, ValueError):  # a NUL in its name
            return path, 'is not there'
        if found.st_size != image.bytes:
            return path, f'has {found.st_size:,} bytes, had {image.bytes:,}'
        if found.st_mtime > written and file_sha256(path) != image.sha256:
            return path, 'has another content'
        return path, ''

    with ThreadPoolExecutor() as pool:
        return {path: text for path, text in pool.map(fault, images) if text}


def check_list(root: Path, split: str, manifest: Manifest) -> None:
    """Refuse a list file that is not what the manifest says of its part.

    Args:
        root: The data set.
        split: The part.
        manifest: Of the data set.

    Raises:
        DataError: names the first line that differs.
    """
    path = root / f'{split}.txt'
    hint = 'prepare it again: python data_preprocess.py <folder of class folders> ' \
           f'{shlex.quote(str(root))} --overwrite'
    numbers = {name: str(number) for number, name in enumerate(manifest.classes)}
    expected = {image.file: numbers[image.class_name] for image in manifest.images
                if image.split == split}
    others = {image.file: image.split for image in manifest.images if image.split != split}
    if not path.exists():
        if expected:
            raise DataError(f'`{path}` is not there', hint=hint)
        return
    lines = read_lines(path, hint)
    faults = list(list_faults(lines, expected))
    if not faults:
        return
    kind, file, row, detail = faults[0]
    where = f'`{path}`:{row}: `{file or lines[row - 1]}`'
    raise DataError({
        'row-twice': f'{where} is in line {detail} already',
        'no-file': f'{where} is of {f"the {others[file]}" if file in others else "no"} part, as '
        'the data set was prepared',
        'list-label': f'{where} has the label {detail}, had {expected.get(file)} when the data set '
        'was prepared',
        'unlisted': f'`{path}` has no line for `{file}` ({len(faults)} of {len(expected)} are '
        'gone) since the data set was prepared'}[kind], hint=hint)


class ListFault(NamedTuple):
    """A line of a list file, or a missing one, that is not what it has to be."""

    kind: str
    """'no-file', 'list-label', 'row-twice' or 'unlisted', of `amlnn.data.prepare.kinds.KINDS`."""
    file: str
    row: int
    """Counted from 1; 0 for one that is missing."""
    detail: str
    """The label that it has; of a file that is there twice, the row in which it came first."""


def list_faults(lines: Sequence[str], labels: Mapping[str, str]) -> Iterator[ListFault]:
    """What is wrong with the lines of a list, in their order; then what has no line.

    Args:
        lines: `<class>/<file> <label>`; empty ones are passed over.
        labels: The label of every file that the list has to name.

    >>> [(fault.kind, fault.row) for fault in list_faults(['a 0', 'a 0', 'b 7'], {'b': '1'})]
    [('no-file', 1), ('row-twice', 2), ('no-file', 2), ('list-label', 3)]
    """
    first: dict[str, int] = {}
    for row, line in enumerate(lines, 1):
        if not line:
            continue
        file, _, label = line.rpartition(' ')
        if file in first:
            yield ListFault('row-twice', file, row, str(first[file]))
        first.setdefault(file, row)
        if file not in labels:
            yield ListFault('no-file', file, row, label)
        elif label != labels[file]:
            yield ListFault('list-label', file, row, label)
    for file in labels:
        if file not in first:
            yield ListFault('unlisted', file, 0, '')
