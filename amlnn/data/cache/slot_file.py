"""Pieces of data at known places of a file, each served only while its checksum is right.

`<name>.data` has the pieces back to back, in plain bytes. `<name>.sums` has 8 bytes for each: its
checksum and the complement of it, little-endian; zeros where there is no piece yet. A piece is
written before its checksum. So whatever stops a process in between, and whatever becomes of either
file, a piece is either there as it was written or found missing.

Files are read by position and not through a memory map: a page that the disk cannot give, or that
another process cut off, raises an error here, which in a map would end the process by SIGBUS.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from amlnn.data.cache.cache_folder import CacheFolder

__all__ = ['SlotFile']

_ONES = 0xFFFFFFFF

_AT_ONCE = 1 << 18
"""Bytes that are read together: they are still in the processor's cache when they are checked."""


class SlotFile:
    """One pair of files in a cache folder.

    Any number of processes may read and write them at once: a piece that two of them write
    differently at the same time has a wrong checksum, and is missing.

    Args:
        folder: Where the files are, or will be from the first `write` on.
        name: Of the files, without the ending.
        starts: Where in the file each slot begins, in bytes, and where the last one ends,
            int64 [N + 1].
    """

    def __init__(self, folder: CacheFolder, name: str, starts: np.ndarray):
        self.folder = folder
        self.name = name
        self.starts = starts
        self._salt = zlib.crc32(name.encode(), zlib.crc32(folder.salt))
        self._damaged: set[int] = set()
        self._warned = False
        self._data: int | None = None
        self._sums: int | None = None
        self._writable = False
        self._handles: list[int] = []

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes by file name."""
        return {f'{self.name}.data': int(self.starts[-1]), f'{self.name}.sums': 8 * len(self)}

    @property
    def writable(self) -> bool:
        """Whether a piece would be kept, as far as is known."""
        return not self.folder.reason and (self._writable or not self.folder.full)

    def present(self) -> np.ndarray:
        """Which slots have a piece, as far as is known without reading it, bool [slots]."""
        if not self._open():
            return np.zeros(len(self), dtype=bool)
        pairs = np.zeros((len(self), 2), dtype='<u4')
        _read(self._sums, memoryview(pairs.reshape(-1).view(np.uint8)), 0)
        found = pairs[:, 0] == ~pairs[:, 1]
        found[list(self._damaged)] = False
        return found

    def read(self, numbers: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Read pieces and verify them. Neighbours that are asked for in order are read at once.

        Args:
            numbers: Of the slots, int64 [n].
            out: Where to, uint8, as long as the slots together. Where a piece is missing, anything
                may be there afterwards.

        Returns:
            Which of them are right, bool [n].
        """
        right = np.zeros(len(numbers), dtype=bool)
        if not len(numbers) or not self._open():
            return right
        view, end = memoryview(out), 0
        runs = list(self._runs(numbers))
        slots = [(int(numbers[first]), int(numbers[last - 1]) + 1) for first, last in runs]
        self._announce(slots)
        for (first, last), (low, high) in zip(runs, slots, strict=True):
            begin, end = end, end + int(self.starts[high] - self.starts[low])
            right[first:last] = self._read_run(low, high, view[begin:end])
        return right

    def write(self, number: int, piece: np.ndarray) -> bool:
        """Keep a piece, uint8, as long as its slot; False if that could not be done."""
        if not self.claim():
            return False
        checksum = self._checksum(number, piece)
        try:
            _write(self._data, memoryview(piece), int(self.starts[number]))
            _write(self._sums, struct.pack('<II', checksum, checksum ^ _ONES), 8 * number)
        except OSError as error:
            self._damaged.add(number)
            self.folder.stop(error.strerror or str(error))
            return False
        self._damaged.discard(number)
        return True

    def claim(self) -> bool:
        """Take the disk space for all slots; False if there is none."""
        if self.folder.reason:
            return False
        if not self._writable:
            self._open()  # remarks on what is wrong with the files that are there
            handles = self.folder.claim(self.sizes)
            if handles is None:
                return False
            self._use(handles)
            self._writable = True
        return True

    def close(self) -> None:
        """Close the files."""
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()
        self._data = self._sums = None
        self._writable = False

    def _open(self) -> bool:
        if self._data is None:
            handles = self.folder.open_for_reading(list(self.sizes))
            if handles is not None:
                self._use(handles)
                self._look_for_lost_ends()
        return self._data is not None

    def _use(self, handles: list[int]) -> None:
        # Older ones stay open until `close`: a thread may be reading from them at this moment.
        self._handles += handles
        self._data, self._sums = handles

    def _look_for_lost_ends(self) -> None:
        for handle, (name, size) in zip((self._data, self._sums), self.sizes.items(), strict=True):
            found = os.fstat(handle).st_size
            if found < size:
                self._warn(f'`{name}` has {found:,} of {size:,} bytes')

    def _warn(self, text: str) -> None:
        if not self._warned:  # a line a file, however many pieces
            self._warned = True
            self.folder.warn(f'cache `{self.folder.path}`: {text}; what is lost is computed again')

    def _announce(self, slots: list[tuple[int, int]]) -> None:
        """Tell the system what will be read: a disk gives many places together three times faster.

        What it has in memory costs nothing but the call.
        """
        if len(slots) > 1 and hasattr(os, 'posix_fadvise'):
            with suppress(OSError):  # a file system that takes no advice
                for low, high in slots:
                    begin, end = int(self.starts[low]), int(self.starts[high])
                    os.posix_fadvise(self._data, begin, end - begin, os.POSIX_FADV_WILLNEED)

    def _runs(self, numbers: np.ndarray) -> Iterator[tuple[int, int]]:
        """Places [first, last) in `numbers` of slots that lie behind one another in the file."""
        joined, lows = (np.diff(numbers) == 1).tolist(), self.starts[numbers].tolist()
        first = 0
        for place, joins in enumerate(joined, 1):
            if not joins or lows[place] - lows[first] >= _AT_ONCE:
                yield first, place
                first = place
        yield first, len(numbers)

    def _read_run(self, low: int, high: int, out: memoryview) -> list[bool]:
        """Read the slots [low, high); gives which of them are right."""
        sums = bytearray(8 * (high - low))
        _read(self._sums, memoryview(sums), 8 * low)
        if not any(sums):
            return [False] * (high - low)
        starts = (self.starts[low:high + 1] - self.starts[low]).tolist()
        length = _read(self._data, out, int(self.starts[low]))
        right = []
        for place, (checksum, complement) in enumerate(struct.iter_unpack('<II', sums)):
            begin, end = starts[place], starts[place + 1]
            right.append(checksum == complement ^ _ONES and end <= length
                         and checksum == self._checksum(low + place, out[begin:end]))
            if not right[-1] and (checksum or complement):
                self._note(low + place)
        return right

    def _note(self, number: int) -> None:
        if number not in self._damaged:
            self._damaged.add(number)
            self._warn(f'piece {number} of `{self.name}.data` is damaged')

    def _checksum(self, number: int, piece: np.ndarray | memoryview) -> int:
        # The folder, the file and the slot are in it, so that no piece is right in another's place.
        return zlib.crc32(piece, zlib.crc32(number.to_bytes(8, 'little'), self._salt))


def _read(handle: int, out: memoryview, offset: int) -> int:
    """Fill `out` from a file, as far as it goes; the number of bytes."""
    length = 0
    with suppress(OSError):  # a broken disk: the rest is not there
        while length < len(out) and (more := os.preadv(handle, [out[length:]], offset + length)):
            length += more
    return length


def _write(handle: int, piece: memoryview | bytes, offset: int) -> None:
    view, done = memoryview(piece), 0
    while done < len(view):
        done += os.pwrite(handle, view[done:], offset + done)
