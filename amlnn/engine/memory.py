"""How the process gets memory from the system, and how one tells that there was none left."""

import ctypes
import os
import platform

import torch

__all__ = ['is_out_of_memory', 'keep_freed_memory']

# Of errors that have no class of their own: the CPU's allocator, libraries of an accelerator, the
# folder through which workers pass batches.
_PHRASES = ('out of memory', "can't allocate memory", 'cannot allocate memory', 'not enough memory',
            'insufficient shared memory', 'caught memoryerror')

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Let the C library reuse freed memory instead of giving it back and asking anew.

    From 32 MiB on, glibc maps every block by itself and unmaps it when it is freed; the system then
    zeroes the pages of each feature map again in every step of a training. Without this, ResNet50
    trains a third slower on a CPU (benchmarks/finetune.py). What was allocated at once stays with
    the process until it is asked again, for its next training: blocks of other sizes may not fit
    between what lives on, and a long sweep would grow. Left alone where the environment says how
    (`MALLOC_*`, `GLIBC_TUNABLES`), and with other C libraries.

    Returns:
        Whether anything was set.
    """
    chosen = any(name.startswith('MALLOC_') or name == 'GLIBC_TUNABLES' for name in os.environ)
    if chosen or platform.libc_ver()[0] != 'glibc':
        return False
    library = ctypes.CDLL(None)
    library.malloc_trim(0)
    mallopt = library.mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2 ** 31 - 1)
                and mallopt(_M_TOP_PAD, 64 * 2 ** 20))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the machine or its accelerator has no memory left.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError('shapes do not match'))
    (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError | OSError) \
        and any(phrase in str(error).lower() for phrase in _PHRASES)
