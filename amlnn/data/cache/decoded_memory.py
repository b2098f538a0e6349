"""Decoded images, kept in memory for the epochs after the first.

The pixels lie in one file that has no name and is never on a disk, which every worker of a loader
maps, forked or spawned. Whichever of them decodes an image first keeps it there, and all find it.
Memory is taken image by image; it ends with the process that made the cache.

Beside `amlnn.data.cache.decoded` on a disk: nothing is written to one, no checksum is computed, and
the next run begins anew.
"""

import mmap
import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import reduction
from pathlib import Path

import numpy as np

from amlnn.data.cache.cache_folder import log_warning, readable_size
from amlnn.data.cache.decoded import ImageSlots, header_sizes, machine_memory

__all__ = ['MemoryCache', 'free_memory']


class MemoryCache(ImageSlots):
    """Pixels of the images of a data set in memory that processes share; made by `open`.

    A slot's flag is set after its pixels, and two workers that decode one image at the same time
    write the same bytes: what is read is whole.
    """

    def __init__(self, images: Sequence[str], sizes: np.ndarray, handle: int | None):
        super().__init__(images, sizes)
        self._images = list(images)
        self._sizes = sizes
        self._handle = handle
        self._flags = self._pixels = np.zeros(0, dtype=np.uint8)
        if handle is not None:
            # With the last copy of it, or the runs of one process would add up.
            self._closing = weakref.finalize(self, os.close, handle)
            content = np.frombuffer(mmap.mmap(handle, _file_size(self)), dtype=np.uint8)
            self._flags, self._pixels = np.split(content, [len(self._images)])

    @classmethod
    def open(cls, images: Sequence[Path | str], limit_bytes: int | None = None,
             warn: Callable[[str], None] = log_warning) -> 'MemoryCache':
        """Make a cache with room for all images.

        Args:
            images: Files, named as `read` will name them.
            limit_bytes: None is half of the memory that is free now.
            warn: Gets a line where there is no cache, and why.
        """
        names = [os.fspath(image) for image in images]
        cache = cls(names, header_sizes(names), None)
        limit = free_memory() // 2 if limit_bytes is None else limit_bytes
        if not hasattr(os, 'memfd_create'):
            warn('this system has no files in memory: images are decoded in every epoch')
        elif cache.total_bytes > limit:
            warn(f'{readable_size(cache.total_bytes)} of decoded images are more than half of the '
                 f'free memory, {readable_size(limit)}: they are decoded in every epoch')
        elif cache.total_bytes:
            handle = os.memfd_create('decoded images')
            os.truncate(handle, _file_size(cache))  # takes no memory yet
            return cls(names, cache._sizes, handle)
        return cache

    def __reduce__(self):
        # How multiprocessing passes an open file to a process that it spawns.
        handle = None if self._handle is None else reduction.DupFd(self._handle)
        return _opened_again, (self._images, self._sizes, handle)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    @property
    def useful(self) -> bool:
        """Whether images can be kept."""
        return self._handle is not None

    def close(self) -> None:
        """Let go of the memory, which is free when the last process has."""
        self._flags = self._pixels = np.zeros(0, dtype=np.uint8)
        if self._handle is not None:
            self._closing()
            self._handle = None

    def _read_slot(self, number: int) -> np.ndarray | None:
        if self._handle is None or not self._flags[number]:
            return None
        return self._pixels[self._starts[number]:self._starts[number + 1]].copy()

    def _write_slot(self, number: int, piece: np.ndarray) -> bool:
        if self._handle is None:
            return False
        self._pixels[self._starts[number]:self._starts[number + 1]] = piece
        self._flags[number] = 1
        return True


def free_memory(group: Path = Path('/sys/fs/cgroup')) -> int:
    """Bytes of memory that this process could still take without another having to give any up.

    Args:
        group: Where the system tells of the limits of the container that the process is in.
    """
    sizes = [machine_memory()]
    with suppress(OSError, ValueError, IndexError):
        lines = Path('/proc/meminfo').read_text().splitlines()
        sizes += [int(line.split()[1]) << 10 for line in lines if line.startswith('MemAvailable:')]
    with suppress(OSError, ValueError, KeyError):  # 'max', or no container
        limit = int((group / 'memory.max').read_text())
        lines = (group / 'memory.stat').read_text().splitlines()
        known = {name: int(value) for name, value in map(str.split, lines)}
        # Files that the system keeps in memory make way for others.
        files = known['inactive_file'] + known['active_file']
        sizes.append(limit - int((group / 'memory.current').read_text()) + files)
    return max(0, min(sizes))


def _file_size(cache: MemoryCache) -> int:
    return len(cache._images) + cache.total_bytes


def _opened_again(images: list[str], sizes: np.ndarray, handle) -> MemoryCache:
    return MemoryCache(images, sizes, None if handle is None else handle.detach())
