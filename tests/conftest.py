"""Fixtures of all tests."""

import ctypes
import gc
import importlib.util
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from generated import ROOT, write_data_set, write_small_config

from amlnn.command import TOOLS, run_command

if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # before torch is imported

# Their doctests would be looked for under one module name, which three files share.
collect_ignore_glob = ['*conftest.py']


_LARGE = 2 * 2 ** 30  # bytes of a process, from which on it is looked through
_GROWN = 2 ** 29  # and by which it has to have grown since, for that takes a second


_looked_at = [_LARGE - _GROWN]


def pytest_runtest_teardown(item, nextitem) -> None:
    """Give back what freed memory a worker holds: a training keeps it for its next step
    (`amlnn.engine.memory`), and a worker that has built all backbones would end at 13 GB."""
    with suppress(OSError, AttributeError):  # of Linux with its usual C library
        if _resident() > _looked_at[0] + _GROWN:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            _looked_at[0] = max(_resident(), _LARGE - _GROWN)


def _resident() -> int:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Folder of the caches of this test alone."""
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture
def own_user_cache(tmp_path, monkeypatch):
    """Nothing that was found out about this machine or its libraries is known to this test."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'user'))


@pytest.fixture(scope='session')
def data_set(tmp_path_factory) -> Path:
    """Five classes, 40 training, 20 validation and 10 test images of 40 pixels."""
    return write_data_set(tmp_path_factory.mktemp('data') / 'flowers')


@pytest.fixture
def write_config(tmp_path, data_set) -> Callable[..., Path]:
    """Writes a config that trains a ResNet18 on the generated data for a second or two."""

    def write(text: str = '', name: str = 'small.py', data_root: Path = data_set,
              epochs: int = 2) -> Path:
        return write_small_config(tmp_path / name, data_root, text, epochs)

    return write


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """No test writes into the project."""
    folder = tmp_path / 'cwd'
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture
def run_tool(capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs a command of `TOOLS` in this process: exit status, standard output, standard error."""

    def run(name: str, *words: object) -> tuple[int, str, str]:
        spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / TOOLS[name])
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        before = signal.getsignal(signal.SIGTERM)
        try:
            status = run_command(tool.parser(), tool.main, [str(word) for word in words])
        finally:
            signal.signal(signal.SIGTERM, before)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
