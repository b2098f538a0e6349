"""Looks at raw image files: which of them training could not use, and which are the same.

Nothing here changes the folder.
"""

import hashlib
import io
import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from amlnn.command import SYSTEM_LIBRARIES
from amlnn.data.prepare.facts import Header, jpeg_damage, pixel_facts, read_header, surplus
from amlnn.data.prepare.kinds import PIXEL_LIMIT, SMALLEST_SIDE
from amlnn.data.prepare.manifest import Problem
from amlnn.data.prepare.near_copies import shrink
from amlnn.errors import AmlnnError

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

__all__ = ['EXTENSIONS', 'Deep', 'RawFile', 'RawImage', 'find_copies', 'in_threads', 'os_name',
           'read_images']

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif')
"""What MMPretrain's CustomDataset reads. It passes over every other file without a word."""

_Bytes = bytes  # which has another meaning inside of RawImage
Item = TypeVar('Item')
Result = TypeVar('Result')


@dataclass(frozen=True)
class RawFile:
    """A file of the source that may be an image."""

    path: str
    """Relative to the source, with `/`: `<class>/<file>` in a folder of class folders."""
    source: Path
    file: str = ''
    """`<class>/<file>`, as the data set will have it; '' is `path`."""
    part: str = ''
    """'train', 'val' or 'test' where the source says so."""


@dataclass(frozen=True)
class Deep:
    """The numbers of an image of other than 8 bits a channel."""

    kind: str
    """Their type; for a file that declares its white, that too. Images of a kind are compared."""
    low: float
    high: float
    levels: int
    """How many different ones there are."""
    seen: int
    """How many are left where the image is read as 8 bits; 0 where it cannot be."""


@dataclass(frozen=True)
class RawImage:
    """An image that training can read."""

    path: str
    """As `RawFile.path`."""
    source: Path
    file: str
    """`<class>/<file>`, as the data set will have it."""
    part: str
    sha256: str
    """Of the file's bytes."""
    pixels: str
    """SHA-256 of what training reads from it: two files that differ only in metadata agree."""
    content: str
    """SHA-256 of what the file holds, which is `pixels` where training reads all of it."""
    bytes: int
    width: int
    height: int
    deep: Deep | None = None
    alpha: str = ''
    """'transparent'; 'alpha' where a reader without transparency sees nothing; '' otherwise."""
    foreign: bool = False
    """Its extension is none that training reads."""
    grey: bool = False
    """Its file has one channel for all colours."""
    facts: tuple[tuple[str, str], ...] = ()
    """Kinds and details of what is worth knowing, and keeps it out of no data set."""
    small: _Bytes = b''
    """What `near_copies.shrink` makes of it."""

    @property
    def class_name(self) -> str:
        """The class folder it goes to."""
        return self.file.partition('/')[0]


def read_images(files: Sequence[RawFile], console: 'Console', any_extension: bool = False,
                pixel_limit: int = PIXEL_LIMIT) -> tuple[list[RawImage], list[Problem]]:
    """Decode every file whole, with Pillow and as training does.

    Pillow notices a file that was cut short, libjpeg damage inside a JPEG; OpenCV fills the missing
    part with grey.

    Args:
        files: What to decode.
        console: Where a progress bar is drawn, if it is a terminal.
        any_extension: Take an image for one whatever its extension is.
        pixel_limit: Images of more are not decoded.
    """
    _import_opencv()
    images, problems = [], []
    with warnings.catch_warnings():
        # Pillow warns about odd EXIF blocks and large images; neither keeps training from reading.
        warnings.simplefilter('ignore')
        read = partial(_read_image, any_extension=any_extension, pixel_limit=pixel_limit)
        for result in in_threads(read, files, 'checking images', console):
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


def _read_image(file: RawFile, any_extension: bool = False,
                pixel_limit: int = PIXEL_LIMIT) -> RawImage | Problem:
    import cv2
    from PIL import Image, UnidentifiedImageError

    from amlnn.data.images.pixels import deep_values, find_kind

    def problem(kind: str, detail: object = '') -> Problem:
        return Problem(kind, file.path, ' '.join(str(detail).split()), '')

    foreign, frames, header = not file.path.lower().endswith(EXTENSIONS), 1, None
    try:
        if foreign and not any_extension:
            with Image.open(file.source) as image:  # only its head: it may be a long film
                return problem('extension', f'training reads {" ".join(EXTENSIONS)}; --on-loss '
                                            'convert writes it anew')
        data = file.source.read_bytes()
        if not data:
            return problem('empty-file')
        kind = find_kind(data)
        try:
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > pixel_limit:
                    return problem('large', f'{image.width:,} x {image.height:,} pixels')
                header = read_header(image, file.source.suffix.lower()[1:])
                if image.format == 'JPEG':  # all of it is read, and decoded at an eighth
                    image.draft('L', (image.width // 8, image.height // 8))
                image.load()
                # A camera's MPO is a photograph with previews behind it.
                frames = 1 if image.format == 'MPO' else getattr(image, 'n_frames', 1)
        except UnidentifiedImageError:
            # OpenCV reads TIFF files that Pillow does not know.
            if kind != 'deep' or deep_values(data) is None:
                raise
    except UnidentifiedImageError:
        return problem('empty-file' if file.source.stat().st_size == 0 else 'not-an-image')
    except Image.DecompressionBombError as error:
        return problem('large', error)
    except PermissionError as error:
        return problem('unreadable', error.strerror)
    except Exception as error:  # a damaged file makes decoders raise nearly anything
        word = 'truncated' if 'truncated' in str(error).lower() else 'corrupt'
        return problem('unreadable' if getattr(error, 'errno', None) else word, error)
    if frames > 1:
        return problem('animated', f'{frames} frames')
    damage = jpeg_damage(data) if data[:2] == b'\xff\xd8' else None
    if damage is not None and damage[0] == 'damaged':
        return problem(*damage)
    try:
        found = _describe(file, data, kind, foreign)
    except cv2.error as error:
        return problem('corrupt', f'OpenCV: {error.err}')
    if found is None:
        return problem('corrupt', 'OpenCV, with which training reads images, cannot decode it')
    if min(found.height, found.width) < SMALLEST_SIDE:
        return problem('tiny', f'{found.width} x {found.height} pixels')
    facts = [*([damage] if damage else ()), *found.facts, *_file_facts(found, header, data)]
    if 'constant' in dict(facts):
        return problem('constant', dict(facts)['constant'])
    return replace(found, facts=tuple(facts), grey=header is not None and header.grey)


def _file_facts(image: RawImage, header: Header | None, data: bytes) -> list[tuple[str, str]]:
    if header is None:  # only OpenCV reads it
        return []
    facts = list(header.facts)
    if header.alpha and not image.alpha:
        facts.append(('opaque-alpha', ''))
    if more := surplus(data, header.format):
        facts.append(('trailing', f'{more:,} after the picture'))
    return facts


def _describe(file: RawFile, data: bytes, kind: str, foreign: bool) -> RawImage | None:
    """What training reads of a file, and what it holds; None if it cannot be decoded."""
    import cv2
    import numpy as np

    from amlnn.data.images.pixels import declared_white, deep_values, read_pixels
    from amlnn.errors import DataError
    values = deep_values(data) if kind == 'deep' else None
    try:
        pixels = read_pixels(data, name=file.path)
    except DataError:  # its numbers have no range of their own
        pixels = None
    if pixels is None and values is None:
        return None
    height, width = (values if pixels is None else pixels).shape[:2]
    seen = content = '' if pixels is None else _digest(pixels)
    small, facts = b'', []
    if pixels is not None:
        grid = shrink(pixels)
        small, facts = grid.tobytes(), pixel_facts(pixels, grid)
    deep, alpha = None, ''
    if kind == 'deep' and values is not None:
        content = _digest(values)
        white = declared_white(data)
        if white is not None and pixels is not None:  # of which other readers know nothing
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        deep = _describe_values(values, pixels, white)
        # Few levels may be left because all are few of 65,536: that is another kind.
        facts = [fact for fact in facts if fact[0] not in ('constant', 'faint')]
        if deep.levels == 1:
            facts.append(('constant', f'{deep.low:,.9g}'))
        if values.dtype == np.uint16 and values.ndim == 3 and values.shape[2] == 4:
            alpha = _judge_transparency((values[..., :3] >> 8).astype(np.uint8), pixels)
    elif kind == 'alpha':
        plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        alpha = '' if plain is None else _judge_transparency(plain, pixels)
    return RawImage(file.path, file.source, file.file or file.path, file.part,
                    hashlib.sha256(data).hexdigest(), seen or content, content, len(data),
                    width, height, deep, alpha, foreign, facts=tuple(facts), small=small)


def _digest(values: 'np.ndarray') -> str:
    height, width = values.shape[:2]
    return hashlib.sha256(f'{width}x{height}'.encode() + values.tobytes()).hexdigest()


def _describe_values(values: 'np.ndarray', pixels: 'np.ndarray | None',
                     white: int | None) -> Deep:
    import numpy as np
    colours = values if values.ndim == 2 else values[..., :3]
    different = np.unique(colours)
    different = different[np.isfinite(different)]
    low, high = (float(different[0]), float(different[-1])) if len(different) else (0.0, 0.0)
    return Deep(f'{values.dtype}{"" if white is None else f" up to {white}"}', low, high,
                len(different), 0 if pixels is None else len(np.unique(pixels)))


def _judge_transparency(plain: 'np.ndarray', seen: 'np.ndarray') -> str:
    """Compare what is read with transparency and without, both uint8 [height, width, BGR]."""
    import numpy as np
    visible, nothing = 16, 2  # grey levels from a pixel to the next
    if plain.shape != seen.shape or np.abs(plain.astype(int) - seen).max() <= nothing:
        return ''
    edges = lost = 0
    for axis in (0, 1):
        with_it, without = (np.abs(np.diff(each.astype(int), axis=axis)).max(2)
                            for each in (seen, plain))
        edges += int((with_it >= visible).sum())
        lost += int(((with_it >= visible) & (without <= nothing)).sum())
    return 'alpha' if edges and lost > edges / 2 else 'transparent'


def _import_opencv() -> None:
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise AmlnnError(f'OpenCV cannot be loaded: {error}',
                         hint=SYSTEM_LIBRARIES) from None


