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


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='of the GNU C library')
@pytest.mark.parametrize('environment', [{}, {'MALLOC_ARENA_MAX': '8'}])
def test_freed_memory_is_used_again_unless_the_environment_says_otherwise(environment):
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith('MALLOC_') and name != 'GLIBC_TUNABLES'}
    done = subprocess.run([sys.executable, '-c', CODE], env={**clean, **environment}, text=True,
                          capture_output=True, check=True)
    changed, page_faults = map(int, done.stdout.split())
    assert changed == (not environment)
    huge_pages = 5 * 64 // 2  # the least that the system can give five blocks in
    assert page_faults < huge_pages if changed else page_faults >= huge_pages
