"""Decoded images, kept on disk for the epochs after the first.

::

    <root>/<SHA-256 of the key>/key.json      the images by a hash of names and contents
    <root>/<SHA-256 of the key>/sizes.data    width and height of each image, from its header
    <root>/<SHA-256 of the key>/images.data   pixels (height, width, BGR), then height and width
    <root>/<SHA-256 of the key>/*.sums        see `amlnn.data.cache.slot_file`

The first epoch decodes and keeps, in whichever worker an image comes up; later epochs read.

Reading takes about a quarter of the time of decoding a JPEG of that many pixels, writing once about
as long as decoding. So it pays from the third epoch on, where the epochs wait for the loader and
the images fit into the memory that the system has to spare for files. A trunk's features, where
they can be kept, save all of that and more: then decoded images are of no use.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from mmengine.registry import TRANSFORMS
from PIL import Image

from amlnn.data.cache.cache_folder import CacheFolder, default_limit, log_warning, readable_size
from amlnn.data.cache.slot_file import SlotFile
from amlnn.data.images.pixels import READING
from amlnn.data.images.reader import LoadImageFromFile

__all__ = ['DecodedCache', 'ImageSlots', 'LoadCachedImage', 'header_sizes', 'machine_memory',
           'use_cache']

_SHAPE = struct.Struct('<II')
"""Height and width, behind the pixels: turned by its EXIF orientation, an image keeps its length
but not its shape."""


class ImageSlots:
    """Pixels of the images of a data set, one slot each; where the slots are is a subclass's.

    Args:
        images: Files, named as `read` will name them.
        sizes: Width and height of each, int64 [N, 2]; zeros where it is not known.
    """

    def __init__(self, images: Sequence[str], sizes: np.ndarray):
        pixels = sizes.prod(1) * 3
        # An image whose header could not be read gets no space and is never kept.
        lengths = np.where(pixels > 0, pixels + _SHAPE.size, 0)
        self.total_bytes = int(lengths.sum())
        self._numbers = {image: number for number, image in enumerate(images)}
        self._starts = np.concatenate([[0], np.cumsum(lengths)])

    def read(self, path: Path | str) -> np.ndarray | None:
        """Pixels of an image as `read_pixels` decodes it, uint8 [height, width, BGR], or None.

        The array is a copy that the caller may change.
        """
        number = self._numbers.get(os.fspath(path))
        piece = None if number is None else self._read_slot(number)
        if piece is None:
            return None
        return piece[:-_SHAPE.size].reshape(*_SHAPE.unpack(piece[-_SHAPE.size:]), 3)

    def write(self, path: Path | str, image: np.ndarray) -> bool:
        """Keep an image, uint8 [height, width, BGR]; False if that could not be done."""
        number = self._numbers.get(os.fspath(path))
        if number is None or image.dtype != np.uint8 or image.ndim != 3 \
                or image.nbytes + _SHAPE.size != self._length(number):
            return False
        piece = np.empty(self._length(number), dtype=np.uint8)
        piece[:image.nbytes] = image.reshape(-1)
        piece[image.nbytes:] = np.frombuffer(_SHAPE.pack(*image.shape[:2]), dtype=np.uint8)
        return self._write_slot(number, piece)

    def _length(self, number: int) -> int:
        return int(self._starts[number + 1] - self._starts[number])

    def _read_slot(self, number: int) -> np.ndarray | None:
        """A copy of a slot, uint8, or None where nothing is kept."""
        raise NotImplementedError

    def _write_slot(self, number: int, piece: np.ndarray) -> bool:
        """Fill a slot, uint8; False if that could not be done."""
        raise NotImplementedError


class DecodedCache(ImageSlots):
    """Pixels of the images of a data set; made or found again by `open`.

    Copies of it in forked and in spawned workers read and write the same files. Nothing the disk
    does raises: what is damaged or lost is None, and is kept anew when it is written.
    """

    def __init__(self, folder: CacheFolder, images: Sequence[str], sizes: np.ndarray):
        super().__init__(images, sizes)
        self.folder = folder
        self._file = SlotFile(folder, 'images', self._starts)
        self._arguments: tuple = ()
        self._writable = False

    @classmethod
    def open(cls, root: Path | str, images: Sequence[Path | str], limit_bytes: int | None = None,
             hashes: Sequence[str] | None = None,
             warn: Callable[[str], None] = log_warning) -> 'DecodedCache':
        """Make a cache, or find it again, and take the disk space for all of it.

        Args:
            root: Folder of all caches; `amlnn.data.cache.cache_folder.cache_root()`.
            images: Files, named as `read` will name them.
            limit_bytes: Of all caches under `root` together. None is a quarter of the free disk,
                and at most half the memory: images that do not stay in the page cache are read
                from a disk, which may take longer than decoding them.
            hashes: Of the contents of the files, such as a manifest has them. Without them a file
                is told by its path below what all have in common, size and time of change.
            warn: Gets a line for everything that keeps the cache from doing its work.
        """
        names = [os.fspath(image) for image in images]
        limit = min(default_limit(root), machine_memory() // 2) if limit_bytes is None \
            else limit_bytes
        key = {'kind': 'decoded images', 'decoder': f'OpenCV {cv2.__version__}, reading {READING}',
               'images': len(names), 'content': _content(names, hashes)}
        folder = CacheFolder(root, key, limit, warn)
        cache = cls(folder, names, _sizes(folder, names))
        cache._arguments = (root, names, limit, hashes, warn)
        cache._take_room(limit)
        return cache

    def __reduce__(self):
        return DecodedCache.open, self._arguments

    @property
    def useful(self) -> bool:
        """Whether an image can be read from it, now or once it has been written."""
        return self._writable or bool(self._file.present().any())

    def close(self) -> None:
        """Close the files and let others delete the cache when they need room."""
        self._file.close()
        self.folder.close()

    def _read_slot(self, number: int) -> np.ndarray | None:
        piece = np.empty(self._length(number), dtype=np.uint8)
        return piece if self._file.read(np.array([number]), piece)[0] else None

    def _write_slot(self, number: int, piece: np.ndarray) -> bool:
        return self._writable and self._file.write(number, piece)

    def _take_room(self, limit: int) -> None:
        if self._file.present().all():
            self._writable = True  # only what turns out to be damaged
        elif self.total_bytes <= limit:
            self._writable = self._file.claim()
        else:
            self.folder.warn(f'{readable_size(self.total_bytes)} of decoded images are more than '
                             f'the limit of {readable_size(limit)}: they are decoded in every '
                             'epoch')


@TRANSFORMS.register_module()
class LoadCachedImage(LoadImageFromFile):
    """LoadImageFromFile that takes the pixels from a cache where it has them, the same to the byte.

    Args:
        cache: The cache; None decodes always.
        kwargs: LoadImageFromFile's. An image that they would have read otherwise than in colour
            from a local file, or with a range of its own, does not come from the cache.
    """

    def __init__(self, cache: ImageSlots | None = None, **kwargs):
        super().__init__(**kwargs)
        plain = self.is_plain and self.deep_range is None \
            and self.backend_args in (None, {'backend': 'local'})
        self.cache = cache if plain else None

    def transform(self, results: dict) -> dict | None:
        """Load an image, as LoadImageFromFile does."""
        if self.cache is None:
            return super().transform(results)
        image = self.cache.read(results['img_path'])
        if image is None:
            loaded = super().transform(results)
            if loaded is not None:  # float32 has every uint8, so the way back is exact
                self.cache.write(results['img_path'], loaded['img'].astype(np.uint8, copy=False))
            return loaded
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


def use_cache(transforms: list, cache: ImageSlots) -> int:
    """Put LoadCachedImage in the place of every LoadImageFromFile among built transforms.

    Args:
        transforms: A pipeline's, such as `dataset.pipeline.transforms`; changed in place.
        cache: Where from.

    Returns:
        How many were replaced.
    """
    kinds = (LoadImageFromFile, LoadImageFromFile.__base__)  # amlnn's, mmcv's
    places = [place for place, step in enumerate(transforms) if type(step) in kinds
              and step.file_client_args is None]
    for place in places:
        step = transforms[place]
        transforms[place] = LoadCachedImage(
            cache, to_float32=step.to_float32, color_type=step.color_type,
            imdecode_backend=step.imdecode_backend, ignore_empty=step.ignore_empty,
            backend_args=step.backend_args, deep_range=getattr(step, 'deep_range', None))
    return len(places)


def _content(names: list[str], hashes: Sequence[str] | None) -> str:
    """A hash of what the files hold, the same wherever the data set lies."""
    if hashes is None:
        folder = os.path.commonpath([Path(name).absolute().parent for name in names])
        rows = []
        for name in names:
            row = os.path.relpath(name, folder)
            with suppress(OSError):  # whoever loads it says that it is not there
                found = Path(name).stat()
                row += f' {found.st_size} {found.st_mtime_ns}'
            rows.append(row)
    else:
        rows = [row for _, row in zip(names, hashes, strict=True)]
    return hashlib.sha256('\0'.join(rows).encode()).hexdigest()


def _sizes(folder: CacheFolder, names: list[str]) -> np.ndarray:
    """Width and height of every image, int64 [N, 2], from the folder if it has them."""
    file = SlotFile(folder, 'sizes', np.array([0, 8 * len(names)]))
    found = np.zeros((len(names), 2), dtype='<u4')
    if not file.read(np.array([0]), found.reshape(-1).view(np.uint8))[0]:
        found[:] = header_sizes(names)
        file.write(0, found.reshape(-1).view(np.uint8))
    file.close()
    return found.astype(np.int64)


def header_sizes(names: Sequence[str]) -> np.ndarray:
    """Width and height of images from their headers, int64 [N, 2]; zeros where there is none."""
    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(_header_size, names)), dtype=np.int64).reshape(-1, 2)


def _header_size(path: str) -> tuple[int, int]:
    """Width and height without decoding; zeros if the file is not an image Pillow knows."""
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0, 0


def machine_memory() -> int:
    """Bytes of memory that this process may use."""
    sizes = [os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')] \
        if hasattr(os, 'sysconf') else [8 << 30]
    with suppress(OSError, ValueError):  # 'max', or no such limit
        sizes.append(int(Path('/sys/fs/cgroup/memory.max').read_text()))
    return min(sizes)
