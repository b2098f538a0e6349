"""What a prepared data set holds: `manifest.json`, and the hash in it that names the data set.

`data_preprocess.py` writes the folder::

    <data set>/training_set/<class>/<file>   val_set/...   test_set/... (if the split has images)
    <data set>/train.txt  val.txt  test.txt  `<class>/<file> <label>` a line, UTF-8
    <data set>/classes.txt                   a class a line, sorted; the line's number is the label
    <data set>/manifest.json                 Manifest below

Changing anything here needs a new SCHEMA_VERSION and a CHANGELOG line.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amlnn.atomic import write_text
from amlnn.errors import DataError
from amlnn.foreign_texts import parse_json
from amlnn.records import misfit

__all__ = ['SCHEMA_VERSION', 'SPLIT_FOLDERS', 'ImageRecord', 'Manifest', 'Problem', 'images_hash',
           'manifest_hash', 'read_manifest', 'write_manifest']

SCHEMA_VERSION = 2
"""2 added what has a default in Manifest; version 1 is still read."""

SPLIT_FOLDERS = {'train': 'training_set', 'val': 'val_set', 'test': 'test_set'}
"""The folder of each split, as BaseDT names it."""

NAME = 'manifest.json'


@dataclass(frozen=True)
class ImageRecord:
    """One image of a data set."""

    split: str
    class_name: str
    file: str
    """`<class>/<file>`, as in the list files."""
    sha256: str
    """Of the file's bytes."""
    bytes: int
    width: int
    """Pixels, as training reads the image: turned as its EXIF orientation says."""
    height: int


@dataclass(frozen=True)
class Problem:
    """Something in the source folder that did not go into the data set as it was."""

    kind: str
    """One of `amlnn.data.prepare.kinds.KINDS`."""
    path: str
    """Relative to the source folder, with `/`."""
    detail: str
    action: str
    """'left out', 'ignored', 'kept', ..."""


@dataclass
class Manifest:
    """What `manifest.json` holds. No time and no outside path: the same source gives the same."""

    hash: str
    """`images_hash` of `images`."""
    seed: int
    ratios: dict[str, float]
    on_bad: str
    on_duplicate: str
    versions: dict[str, str]
    """Of amlnn and BaseDT."""
    classes: list[str]
    counts: dict[str, dict[str, int]]
    """Images by class and split."""
    source_images: int
    """Files in the class folders, good or bad, hidden ones apart."""
    on_loss: str = 'keep'
    """What was done with images of which training would lose something."""
    deep_ranges: dict[str, list[float]] = field(default_factory=dict)
    """By kind of number, the values of converted images that became black and white."""
    parts: dict[str, str] = field(default_factory=dict)
    """Of a source that was split already: part of the data set to folder of the source."""
    group_by: str | None = None
    """What says which images belong together."""
    groups: dict[str, int] = field(default_factory=dict)
    """How many groups each part has."""
    problems: list[Problem] = field(default_factory=list)
    images: list[ImageRecord] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION


def images_hash(images: Iterable[ImageRecord]) -> str:
    """The name of a data set: equal if and only if splits, classes, files and their bytes are.

    SHA-256 over the JSON, in UTF-8 and without spaces, of the sorted list of
    `[split, class, file, sha256]`.

    >>> images_hash([])[:12]
    '4f53cda18c2b'
    """
    rows = sorted([image.split, image.class_name, image.file, image.sha256] for image in images)
    text = json.dumps(rows, ensure_ascii=False, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_hash(data_root: Path | str) -> str | None:
    """The hash of the data set at `data_root`; None if `data_preprocess.py` did not make it.

    Raises:
        DataError: there is a manifest, and it cannot be read or was changed.
    """
    if not (Path(data_root) / NAME).is_file():
        return None
    return read_manifest(data_root).hash


def read_manifest(data_root: Path | str) -> Manifest:
    """Read the manifest of the data set at `data_root`.

    Raises:
        DataError: there is none, it is not of this schema, or its hash does not fit its images.
    """
    path = Path(data_root) / NAME
    try:
        state = path.stat()
    except OSError:
        raise DataError(f'no manifest at `{path}`', hint=_again(data_root)) from None
    return _read(path.absolute(), data_root, state.st_mtime_ns, state.st_size)


# A run asks for it once for each part, for its record and for its caches.
@functools.lru_cache(maxsize=4)
def _read(path: Path, data_root: Path | str, changed: int, size: int) -> Manifest:
    hint = _again(data_root)
    try:
        values = parse_json(path.read_text(encoding='utf-8'))
    except (ValueError, OSError) as error:
        raise DataError(f'`{path}` cannot be read: {error}', hint=hint) from None
    version = values.get('schema_version') if isinstance(values, dict) else None
    if version not in (1, SCHEMA_VERSION):
        raise DataError(f'`{path}` has schema version {version}, this amlnn reads {SCHEMA_VERSION}',
                        hint=hint)
    wrong = _misfit(values)
    if wrong:
        raise DataError(f'`{path}`: {wrong}', hint=hint)
    try:
        values['problems'] = [Problem(**row) for row in values['problems']]
        values['images'] = [ImageRecord(**row) for row in values['images']]
        manifest = Manifest(**values)
        whole = images_hash(manifest.images) == manifest.hash
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f'`{path}` is not complete: {error}', hint=hint) from None
    if not whole:
        raise DataError(f'`{path}` was changed by hand: its hash does not fit its images',
                        hint=hint)
    return manifest


def _misfit(values: dict[str, Any]) -> str:
    """The first value that is not of the type of its field, in words; '' for none."""
    rows = {Problem: values.get('problems', []), ImageRecord: values.get('images', [])}
    if not all(isinstance(each, list) and all(isinstance(row, dict) for row in each)
               for each in rows.values()):
        return '`problems` or `images` is no list of objects'
    plain = {name: value for name, value in values.items() if name not in ('problems', 'images')}
    wrong = misfit(Manifest, plain) or next(filter(None, (
        misfit(kind, row) for kind, each in rows.items() for row in each)), '')
    if wrong:
        return wrong
    named = {str(row.get('class_name')) for row in rows[ImageRecord]}
    lost = sorted(named - set(values.get('classes', ())))
    return f'no class `{lost[0]}` among its classes' if lost else ''


def _again(data_root: Path | str) -> str:
    return 'make the data set again: python data_preprocess.py <folder of class folders> ' \
           f'{data_root} --overwrite'


def write_manifest(data_root: Path | str, manifest: Manifest) -> None:
    """Write `manifest.json`, whole or not at all, with one image or problem a line."""
    values = dataclasses.asdict(manifest)
    rows = {key: values.pop(key) for key in ('problems', 'images')}
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False).removesuffix('\n}')
    for key, items in rows.items():
        lines = ',\n'.join('  ' + json.dumps(item, ensure_ascii=False) for item in items)
        text += f',\n "{key}": [\n{lines}\n ]' if items else f',\n "{key}": []'
    write_text(Path(data_root) / NAME, text + '\n}\n')
