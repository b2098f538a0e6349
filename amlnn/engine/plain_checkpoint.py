"""Reads a checkpoint of plain values and tensors without PyTorch, whose import takes seconds.

A file of `torch.save` is a ZIP archive of a pickle and of the tensors' bytes. Here the pickle may
name the few functions that put a tensor together and nothing else; the tensors become arrays.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from amlnn.checkpoint_facts import meta_fault
from amlnn.sealed import damage, sealed_as

__all__ = ['read_plain']

_TYPES = {'DoubleStorage': np.float64, 'FloatStorage': np.float32, 'HalfStorage': np.float16,
          'LongStorage': np.int64, 'IntStorage': np.int32, 'ShortStorage': np.int16,
          'CharStorage': np.int8, 'ByteStorage': np.uint8, 'BoolStorage': np.bool_}


def read_plain(path: Path) -> dict[str, Any] | None:
    """The content of a checkpoint that this project wrote, its tensors as arrays.

    Returns:
        None for any other file, a damaged one or one that holds more: whoever wants to know what is
        wrong with it reads it with PyTorch.
    """
    try:
        if not path.is_file() or sealed_as(path) is None or damage(path):
            return None
        with zipfile.ZipFile(path) as archive:
            name = next(each for each in archive.namelist() if each.endswith('/data.pkl'))
            folder = name.removesuffix('data.pkl')
            if archive.read(f'{folder}byteorder') != b'little':
                return None
            content = _Reader(io.BytesIO(archive.read(name)),
                              lambda key: archive.read(f'{folder}data/{key}')).load()
    # An archive of another shape fails in many ways; none of them matters here.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError,
            StopIteration, RecursionError, zipfile.BadZipFile, pickle.UnpicklingError):
        return None
    # What says things that cannot be is left to those who tell.
    return content if isinstance(content, dict) and not meta_fault(content) else None


class _Reader(pickle.Unpickler):
    """Of data.pkl.

    Args:
        file: The pickle.
        bytes_of: The bytes of a storage, by its key.
    """

    def __init__(self, file: io.BytesIO, bytes_of: Callable[[str], bytes]):
        super().__init__(file)
        self._bytes_of = bytes_of

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return _tensor
        if (module, name) == ('collections', 'OrderedDict'):
            return OrderedDict
        if module == 'torch' and name in _TYPES:
            return np.dtype(_TYPES[name])
        raise pickle.UnpicklingError(f'{module}.{name}')

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, dtype, key, _, count = pid
        if kind != 'storage':
            raise pickle.UnpicklingError(f'{kind}')
        return np.frombuffer(self._bytes_of(key), dtype=dtype, count=count)


def _tensor(storage: np.ndarray, offset: int, shape: tuple[int, ...], stride: tuple[int, ...],
            *_: Any) -> np.ndarray:
    """What `torch._utils._rebuild_tensor_v2` makes, as an array of its own."""
    if not all(shape):
        return np.zeros(shape, storage.dtype)
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if min(offset, *stride, 0) < 0 or last >= len(storage):
        raise ValueError('a tensor that is not in its storage')
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [step * storage.itemsize for step in stride]).copy()
