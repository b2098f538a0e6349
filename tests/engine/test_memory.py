import os
import subprocess
import sys

import pytest

CODE = """
import resource, sys
from amlnn.engine.memory import keep_freed_memory
changed = keep_freed_memory()
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
SIZE = 64 * 2 ** 20

def page_faults():
    block = libc.malloc(SIZE)
    ctypes.memset(block, 1, SIZE)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

first = page_faults()
for _ in range(5):
    last = page_faults()
print(int(changed), last - first)
"""


def numbers_of(code, environment):
    """What a fresh interpreter prints, whose allocator only `environment` sets."""
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith('MALLOC_') and name != 'GLIBC_TUNABLES'}
    done = subprocess.run([sys.executable, '-c', code], env={**clean, **environment}, text=True,
                          capture_output=True, check=True)
    return list(map(int, done.stdout.split()))


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='of the GNU C library')
@pytest.mark.parametrize('environment', [{}, {'MALLOC_ARENA_MAX': '8'}])
def test_freed_memory_is_used_again_unless_the_environment_says_otherwise(environment):
    changed, page_faults = numbers_of(CODE, environment)
    assert changed == (not environment)
    huge_pages = 5 * 64 // 2  # the least that the system can give five blocks in
    assert page_faults < huge_pages if changed else page_faults >= huge_pages


GROWTH = """
from pathlib import Path
import ctypes
from amlnn.engine.memory import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    line = Path('/proc/self/status').read_text().split('VmRSS:')[1]
    return int(line.split()[0]) // 1024

def training(mebibytes):
    keep_freed_memory()
    before = resident()
    blocks = []
    for _ in range(8):
        blocks.append(libc.malloc(mebibytes * 2 ** 20))
        ctypes.memset(blocks[-1], 1, mebibytes * 2 ** 20)
        libc.malloc(5000)  # lives on, and lies between
    for block in blocks:
        libc.free(block)
    return before

print(*map(training, (10, 17, 23, 31, 40)))
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='of the GNU C library')
def test_trainings_of_growing_sizes_each_begin_with_what_the_first_began_with():
    first, *later = numbers_of(GROWTH, {})
    assert max(later) - first < 32, (first, later)
