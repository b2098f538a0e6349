"""Looks at a raw folder of class folders: what is in it, and what training could not use.

Nothing here changes the folder.
"""

import hashlib
import io
import os
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from amlnn.data.prepare.manifest import Problem
from amlnn.errors import AmlnnError, DataError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['EXTENSIONS', 'KINDS', 'RawFile', 'RawImage', 'find_classes', 'find_copies',
           'find_files', 'in_threads', 'os_name', 'read_images']

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif')
"""What MMPretrain's CustomDataset reads. It passes over every other file without a word."""

SMALLEST_SIDE = 8
"""Pixels. Smaller ones are tracking pixels and placeholders of web pages."""

KINDS = {
    'hidden': 'hidden or made by the operating system',
    'stray': 'a file beside the class folders',
    'link': 'a symbolic link, copied as the file it leads to',
    'empty-class': 'a class folder without files',
    'few-images': 'a class with very few images',
    'nested-folder': 'a folder inside a class folder',
    'name': 'a name that a list file cannot hold',
    'case': 'a name that a Mac or Windows cannot tell from another',
    'unreadable': 'cannot be opened',
    'empty-file': 'no content',
    'not-an-image': 'not an image',
    'truncated': 'an image cut short',
    'corrupt': 'a damaged image',
    'animated': 'more than one frame; training sees only the first',
    'tiny': f'a side below {SMALLEST_SIDE} pixels',
    'extension': 'an image whose extension training would pass over',
    'copy': 'the same image as another of its class',
    'label-conflict': 'the same image in several classes',
}

_SYSTEM_NAMES = {'thumbs.db', 'ehthumbs.db', 'desktop.ini', '__macosx', '@eadir', '$recycle.bin'}
_SPLIT_NAMES = {'train', 'training', 'training_set', 'val', 'valid', 'validation', 'val_set',
                'validation_set', 'test', 'testing', 'test_set', 'dev', 'eval'}

Item = TypeVar('Item')
Result = TypeVar('Result')


@dataclass(frozen=True)
class RawFile:
    """A file of a class folder that may be an image."""

    path: str
    """`<class>/<file>`."""
    source: Path


@dataclass(frozen=True)
class RawImage:
    """An image that training can read."""

    path: str
    source: Path
    sha256: str
    """Of the file's bytes."""
    pixels: str
    """SHA-256 of what training reads from it: two files that differ only in metadata agree."""
    bytes: int
    width: int
    height: int


def find_classes(source: Path) -> tuple[dict[str, Path], list[Problem]]:
    """The class folders of `source`, in the order in which MMPretrain sorts them, and the problems.

    Raises:
        DataError: `source` is not a folder of at least two class folders. The hint says what it
            seems to be instead.
    """
    entries = _entries(source)
    folders = {_text_name(path): path for path in entries
               if path.is_dir() and not _is_hidden(path.name)}
    files = [path for path in entries if not path.is_dir() and not _is_hidden(path.name)]
    problems = [Problem('hidden', _shown_name(path), '', 'ignored')
                for path in entries if _is_hidden(path.name)]
    problems += [Problem('stray', _shown_name(path), '', 'ignored') for path in files]
    _check_structure(source, folders, files)
    seen: dict[str, str] = {}
    for name, path in folders.items():
        if name is None or name != name.strip() or len(name.splitlines()) != 1:
            raise DataError(f'the class folder `{_shown_name(path)}` of `{source}` has a name that '
                            'a list file cannot hold',
                            hint='rename it: no spaces at its ends, no line breaks, UTF-8')
        other = seen.setdefault(_case_key(name), name)
        if other != name:
            raise DataError(f'the class folders `{other}` and `{name}` of `{source}` differ only '
                            'in case', hint='rename one, or move the images of both into one')
        if path.is_symlink():
            problems.append(Problem('link', name, '', 'followed'))
    return dict(sorted(folders.items())), problems


def find_files(classes: dict[str, Path]) -> tuple[list[RawFile], list[Problem]]:
    """The files of the class folders that may be images, by class and name, and the problems.

    Raises:
        DataError: a class folder cannot be read, or all seem to lie one level too high.
    """
    files, problems = [], []
    for class_name, folder in classes.items():
        entries = _entries(folder)
        if all(_is_hidden(path.name) for path in entries):
            problems.append(Problem('empty-class', class_name, '', ''))
        taken: dict[str, str] = {}
        for path in entries:
            name = _text_name(path)
            shown = f'{class_name}/{_shown_name(path)}'
            if _is_hidden(path.name):
                problems.append(Problem('hidden', shown, '', 'ignored'))
            elif path.is_dir():
                count = sum(len(names) for _, _, names in os.walk(path))
                problems.append(Problem('nested-folder', shown, f'files in it: {count}', ''))
            elif not path.is_file():  # also pipes and devices, which would be read for ever
                problems.append(Problem('unreadable', shown, 'a broken link' if path.is_symlink()
                                        else 'not a regular file', ''))
            elif name is None or len(name.splitlines()) != 1:
                problems.append(Problem('name', shown, 'not UTF-8, or with a line break', ''))
            elif (other := taken.setdefault(_case_key(name), name)) != name:
                problems.append(Problem('case', shown, f'like {other}', ''))
            else:
                files.append(RawFile(f'{class_name}/{name}', path))
                if path.is_symlink():
                    problems.append(Problem('link', shown, '', 'followed'))
    nested = [problem.path for problem in problems if problem.kind == 'nested-folder']
    if nested and not any(file.path.lower().endswith(EXTENSIONS) for file in files):
        folder = classes[nested[0].split('/')[0]]
        raise DataError(f'the folders of `{folder.parent}` hold no images, but folders',
                        hint=f'give the folder whose folders are the classes: {folder}, perhaps')
    return files, problems


def read_images(files: Sequence[RawFile],
                console: 'Console') -> tuple[list[RawImage], list[Problem]]:
    """Decode every file whole, with Pillow and as training does with OpenCV.

    Pillow notices a file that was cut short; OpenCV fills the missing part with grey.

    Args:
        files: What to decode.
        console: Where a progress bar is drawn, if it is a terminal.
    """
    _import_opencv()
    images, problems = [], []
    with warnings.catch_warnings():
        # Pillow warns about odd EXIF blocks and large images; neither keeps training from reading.
        warnings.simplefilter('ignore')
        for result in in_threads(_read_image, files, 'checking images', console):
            (images if isinstance(result, RawImage) else problems).append(result)
    return images, problems


def find_copies(images: Iterable[RawImage]) -> list[list[RawImage]]:
    """Groups of two and more images from which training would read the same pixels."""
    groups = defaultdict(list)
    for image in sorted(images, key=lambda image: image.path):
        groups[image.pixels].append(image)
    return [group for group in groups.values() if len(group) > 1]


def in_threads(function: Callable[[Item], Result], items: Sequence[Item], label: str,
               console: 'Console') -> list[Result]:
    """Apply `function` to all `items`, in their order, with a progress bar on a terminal.

    Threads are enough: decoding, hashing and reading all let other threads run. On an exception,
    Ctrl-C included, what has not begun is not done.
    """
    from rich.progress import track
    pool = ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1))
    try:
        futures = [pool.submit(function, item) for item in items]
        steps = track(futures, label, console=console, disable=not console.is_terminal)
        return [future.result() for future in steps]
    finally:
        pool.shutdown(cancel_futures=True)


def os_name(text: str) -> str:
    """The name by which the operating system knows the file `text`, also where the locale is C."""
    return os.fsdecode(text.encode())


def _read_image(file: RawFile) -> RawImage | Problem:
    import cv2
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    def problem(kind: str, detail: object = '') -> Problem:
        return Problem(kind, file.path, ' '.join(str(detail).split()), '')

    try:
        if not file.path.lower().endswith(EXTENSIONS):
            with Image.open(file.source) as image:  # only its head: it may be a long film
                return problem('extension', f'training reads {" ".join(EXTENSIONS)}')
        data = file.source.read_bytes()
        if not data:
            return problem('empty-file')
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            # A camera's MPO is a photograph with previews behind it.
            frames = 1 if image.format == 'MPO' else getattr(image, 'n_frames', 1)
    except UnidentifiedImageError:
        return problem('empty-file' if file.source.stat().st_size == 0 else 'not-an-image')
    except Image.DecompressionBombError as error:
        return problem('corrupt', error)
    except PermissionError as error:
        return problem('unreadable', error.strerror)
    except Exception as error:  # a damaged file makes decoders raise nearly anything
        kind = 'truncated' if 'truncated' in str(error).lower() else 'corrupt'
        return problem('unreadable' if getattr(error, 'errno', None) else kind, error)
    if frames > 1:
        return problem('animated', f'{frames} frames')
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        return problem('corrupt', f'OpenCV: {error.err}')
    if pixels is None:
        return problem('corrupt', 'OpenCV, with which training reads images, cannot decode it')
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        return problem('tiny', f'{width} x {height} pixels')
    digest = hashlib.sha256(f'{width}x{height}'.encode() + pixels.tobytes())
    return RawImage(file.path, file.source, hashlib.sha256(data).hexdigest(), digest.hexdigest(),
                    len(data), width, height)


def _import_opencv() -> None:
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise AmlnnError(f'OpenCV cannot be loaded: {error}',
                         hint='sudo apt-get install libgl1 libglib2.0-0') from None


def _check_structure(source: Path, folders: dict[str | None, Path], files: list[Path]) -> None:
    """Raise with a hint that fits what the folder seems to be instead."""
    images = [path for path in files if path.name.lower().endswith(EXTENSIONS)]
    names = {str(name).lower() for name in folders}
    if names and names <= _SPLIT_NAMES:
        converted = {'training_set', 'val_set'} <= names
        raise DataError(
            f'`{source}` is split already: {", ".join(sorted(map(str, folders)))}',
            hint='it can be trained on as it is, as the data_root of a config' if converted else
            'give a folder of class folders: move the class folders of all parts into one, '
            f'or give one part, such as {source / sorted(map(str, folders))[0]}')
    if len(folders) >= 2:
        return
    if not folders:
        what = 'holds images, but no class folders' if images else 'holds no class folders'
        raise DataError(f'`{source}` {what}', hint='make a folder for each class in it and move '
                        f'the images there: {source / "cat"}, {source / "dog"}, ...')
    (only, folder), = folders.items()
    inner = [path for path in _entries(folder) if path.is_dir() and not _is_hidden(path.name)]
    if inner:
        raise DataError(f'`{source}` holds only the folder `{only}`, whose folders are the classes',
                        hint=f'give that one: {folder}')
    raise DataError(f'`{source}` has only one class, `{only}`',
                    hint='a classifier needs at least two class folders')


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, in the order of the names' bytes: the disk's own order is arbitrary."""
    try:
        return sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name))
    except FileNotFoundError:
        parent = next(path for path in folder.absolute().parents if path.is_dir())
        wanted = folder.absolute().relative_to(parent).parts[0]
        near = get_close_matches(wanted, [path.name for path in parent.iterdir()], 1, 0.6)
        raise DataError(f'no folder `{folder}`', hint=f'did you mean {parent / near[0]}?' if near
                        else f'the nearest folder that exists is {parent}') from None
    except NotADirectoryError:
        raise DataError(f'`{folder}` is a file', hint='give a folder of class folders; an archive '
                        'is unpacked first: tar -xf FILE, or unzip FILE') from None
    except PermissionError:
        raise DataError(f'the folder `{folder}` cannot be read: no permission',
                        hint=f'chmod -R u+rX {folder}') from None


def _is_hidden(name: str) -> bool:
    return name.startswith('.') or name.lower() in _SYSTEM_NAMES


def _text_name(path: Path) -> str | None:
    """A name as text, also where the locale is C; None where its bytes are not UTF-8."""
    try:
        return os.fsencode(path.name).decode()
    except UnicodeDecodeError:
        return None


def _shown_name(path: Path) -> str:
    name = os.fsencode(path.name).decode(errors='backslashreplace')
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in name)


def _case_key(name: str) -> str:
    return unicodedata.normalize('NFC', unicodedata.normalize('NFC', name).casefold())
