"""Room for features while they are looked at, which are kept elsewhere."""

import tempfile

import numpy as np

from amlnn.data.cache.cache_folder import cache_root

__all__ = ['HELD', 'room']

HELD = 2 ** 28
"""Bytes of features up to which they are held in memory."""


def room(rows: int, columns: int, held: bool) -> np.ndarray:
    """An array, float32 [rows, columns], of whatever numbers.

    Args:
        rows: Of it.
        columns: Of it.
        held: In memory; else in a file without a name, so that no memory is held. It lies beside
            the caches, for a system's place for temporary files may be memory itself.
    """
    if held:
        return np.empty((rows, columns), np.float32)
    root = cache_root()
    with tempfile.TemporaryFile(dir=root if root.is_dir() else None) as file:
        return np.memmap(file, np.float32, 'w+', shape=(rows, columns))
