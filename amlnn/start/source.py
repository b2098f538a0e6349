"""What a newcomer's folder is, and what is wrong with it, before anything is done."""

import hashlib
import io
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from amlnn.command import command_line
from amlnn.data.prepare.accept import open_any
from amlnn.data.prepare.archives import is_archive
from amlnn.data.prepare.choices import make_choices
from amlnn.data.prepare.integrity import check_files
from amlnn.data.prepare.manifest import (
    SPLIT_FOLDERS,
    ImageRecord,
    manifest_hash,
    read_manifest,
)
from amlnn.data.prepare.prepared import is_prepared, open_prepared
from amlnn.data.prepare.sources import Source
from amlnn.errors import DataError, UsageError

__all__ = ['RATIOS', 'Given', 'look_at']

RATIOS = ('--train-ratio', '0.7', '--val-ratio', '0.15', '--test-ratio', '0.15')
"""How raw images are divided: something is left to judge by that nothing was chosen by."""

_LEAST = {'train': 2, 'val': 1, 'test': 1}  # images of a class that a part needs; a probe needs two
_SAMPLE = 50  # images whose bytes are compared
_ENDINGS = re.compile(r'\.(zip|tar|tgz|txz|tbz2?|tar\.(gz|xz|bz2))$', re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """Where the images are, and where they will be."""

    source: Path | None
    """A folder of class folders, or of parts, or its archive; None where DIR is prepared already.
    """
    data: Path
    """The data set's folder, which training reads."""
    name: str
    """What configs and folders are called by."""

    @property
    def prepared(self) -> bool:
        """Whether the data set is there."""
        return is_prepared(self.data)

    @property
    def prepare_words(self) -> list[str]:
        """What follows `data_preprocess.py`; how a data set was made that is given, nobody knows.
        """
        if self.source is None:
            return ['SRC', str(self.data)]
        return [str(self.source), str(self.data), *RATIOS, '--on-bad', 'skip']

    @property
    def parts(self) -> dict[str, int]:
        """Images of each part, once the data set is there."""
        lists = {part: self.data / f'{part}.txt' for part in SPLIT_FOLDERS}
        return {part: len(path.read_text(encoding='utf-8').splitlines())
                for part, path in lists.items() if path.is_file()}

    @property
    def content(self) -> str:
        """Some letters that are others where the images are, once the data set is there."""
        lists = b''.join((self.data / f'{part}.txt').read_bytes() for part in self.parts)
        return (manifest_hash(self.data) or hashlib.sha256(lists).hexdigest())[:8]


def look_at(folder: Path, out: Path | None) -> Given:
    """Find out what DIR is; no image is opened.

    Args:
        folder: DIR.
        out: Where the data set is to be; None for `data/<name>`.

    Raises:
        DataError: nothing can be trained on it, or another data set is in its place.
        UsageError: it is prepared, and `out` has no meaning.
    """
    name = _name_of(folder)
    if folder.is_dir() and is_prepared(folder):
        if out is not None:
            raise UsageError(f'`{folder}` is prepared already, and --out says where to prepare it',
                             hint='leave --out out')
        _check_prepared(folder)
        return Given(None, folder, name)
    data = out or _beside(folder, Path('data') / name)
    opened = None
    if not is_archive(folder):
        opened = _opened(folder, data)
        needed = sum(_LEAST[part] for part in _LEAST if part not in opened.parts or part == 'train')
        _check_counts(opened, 'train' if opened.parts else '', needed)
    if is_prepared(data):
        _check_same(folder, data, opened)
    return Given(folder, data, name)


def _name_of(folder: Path) -> str:
    name = _ENDINGS.sub('', folder.resolve().name)
    return re.sub(r'[^\w.-]+', '_', name).strip('._') or 'images'


def _beside(folder: Path, data: Path) -> Path:
    """The place of the data set, which must not be that of its source."""
    return data.with_name(f'{data.name}_prepared') if data.resolve() == folder.resolve() else data


def _opened(folder: Path, data: Path) -> Source:
    """What is in a source; an option that a hint names is one of preparing by hand."""
    try:
        return open_any(folder, make_choices())
    except OSError as error:
        where = f'`{error.filename}`: ' if error.filename else ''
        raise DataError(f'{where}{error.strerror or error}',
                        hint='check permissions, then run again') from error
    except DataError as error:
        by_hand = f' (of {command_line("preprocess", folder, data)}, whose new folder is given ' \
            'here then)' if '--' in error.hint else ''
        raise DataError(error.message, error.hint + by_hand) from None


def _check_prepared(folder: Path) -> None:
    opened = open_prepared(folder)
    if 'val' not in opened.parts or not (folder / 'val.txt').is_file():
        raise DataError(f'`{folder}` has no validation part, by which backbone, stages and epoch '
                        'are chosen', hint='prepare it from the raw images: '
                        + command_line('preprocess', 'SRC', folder, '--overwrite', *RATIOS))
    for part in opened.parts:
        check_files(folder, part)
    _check_counts(opened, 'train', _LEAST['train'])


def _check_counts(opened: Source, part: str, needed: int) -> None:
    """Refuse classes with fewer images than their parts need; `part` is '' for all."""
    counts = Counter(dict.fromkeys(opened.classes, 0))
    counts.update((file.file or file.path).partition('/')[0] for file in opened.files
                  if not part or file.part == part)
    empty = [name for name in opened.classes if not counts[name]]
    if len(counts) - len(empty) < 2:
        held = next((f', `{name}`' for name in counts if counts[name]), '')
        raise DataError(f'only {len(counts) - len(empty)} class of the images has any{held}',
                        hint='a classifier needs at least two class folders with images')
    few = next((name for name in opened.classes if 0 < counts[name] < needed), None)
    if few is not None:
        where = f' in {opened.parts[part]}' if part else ''
        raise DataError(f'the class `{few}` has {counts[few]} '
                        f'image{"" if counts[few] == 1 else "s"}{where}, and {needed} of each are '
                        'needed at least', hint='add images of it, or move its folder out of the '
                        'source; two of a class are trained on, one validates, one tests')


def _check_same(source: Path, data: Path, opened: Source | None) -> None:
    """Refuse a data set that was made of other images than the source has."""
    manifest = read_manifest(data)
    with ExitStack() as open_files:
        files = _in_archive(source, open_files) if opened is None else [
            _File(file.source.name, file.source.stat().st_size, partial(_opened_file, file.source))
            for file in opened.files]
        other = _not_among(files, manifest.images)
    counted = opened is None or opened.file_count == manifest.source_images
    if other or not counted:
        again = command_line('preprocess', source, data, '--overwrite', *RATIOS, '--on-bad', 'skip')
        named = f': `{other}` is not in it' if other else ''
        raise DataError(
            f'`{data}` is there and was not prepared from `{source}` as it is now{named}',
            hint=f'prepare it again: {again}; or name another place with --out; or go on with what '
            f'is there: {command_line("start", data)}')


class _File(NamedTuple):
    name: str
    size: int
    open: Callable[[], IO[bytes]]

    def sha256(self) -> str:
        with self.open() as file:
            return hashlib.file_digest(file, 'sha256').hexdigest()  # type: ignore[arg-type]  # IO


def _opened_file(path: Path) -> IO[bytes]:
    return open(path, 'rb')


def _in_archive(source: Path, open_files: ExitStack) -> list[_File]:
    if zipfile.is_zipfile(source):
        archive = open_files.enter_context(zipfile.ZipFile(source))
        return [_File(PurePosixPath(each.filename).name, each.file_size,
                      partial(archive.open, each)) for each in archive.infolist()]
    tar = open_files.enter_context(tarfile.open(source))  # noqa: SIM115 - the stack closes it
    return [_File(PurePosixPath(each.name).name, each.size, partial(_member, tar, each))
            for each in tar.getmembers() if each.isfile()]


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return tar.extractfile(member) or io.BytesIO()


def _not_among(files: Sequence[_File], images: Sequence[ImageRecord]) -> str:
    """An image that none of the files is; '' where all are there, some of them to the byte.

    An image that was given another class may be called after both: `rose_1.png`.
    """
    by_size: dict[int, dict[str, list[_File]]] = {}
    for file in files:
        by_size.setdefault(file.size, {}).setdefault(file.name, []).append(file)
    step = max(1, len(images) // _SAMPLE)
    for place, image in enumerate(images):
        here, name = by_size.get(image.bytes, {}), Path(image.file).name
        like = here.get(name) or [file for end, each in here.items() if name.endswith(end)
                                  for file in each]
        if not like or (place % step == 0 and all(file.sha256() != image.sha256 for file in like)):
            return image.file
    return ''
