"""How the process gets memory from the system."""

import ctypes
import os
import platform

__all__ = ['keep_freed_memory']

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Let the C library reuse freed memory instead of giving it back and asking anew.

    From 32 MiB on, glibc maps every block by itself and unmaps it when it is freed; the system then
    zeroes the pages of each feature map again in every step of a training. Without this, ResNet50
    trains a third slower on a CPU (benchmarks/finetune.py). What was allocated at once stays with
    the process to its end. Left alone where the environment says how (`MALLOC_*`,
    `GLIBC_TUNABLES`), and with other C libraries.

    Returns:
        Whether anything was set.
    """
    chosen = any(name.startswith('MALLOC_') or name == 'GLIBC_TUNABLES' for name in os.environ)
    if chosen or platform.libc_ver()[0] != 'glibc':
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2 ** 31 - 1)
                and mallopt(_M_TOP_PAD, 64 * 2 ** 20))
