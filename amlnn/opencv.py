"""opencv-python, or opencv-python-headless where the system has no libraries for windows.

opencv-python shows windows and needs libGL, libxcb and libglib2.0 of the system for them, which a
bare machine does not have. amlnn opens no window: the same version without windows does as well.

python -m amlnn.opencv
"""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from amlnn.command import SYSTEM_LIBRARIES, CommandParser, run_command
from amlnn.errors import RunFailed, UsageError

__all__ = ['main', 'missing_library', 'parser']

_FULL, _HEADLESS = 'opencv-python', 'opencv-python-headless'


def missing_library(text: str) -> str | None:
    """The shared library that an import did not find, by what it said.

    >>> missing_library('ImportError: libxcb.so.1: cannot open shared object file: No such file')
    'libxcb.so.1'
    >>> missing_library("ModuleNotFoundError: No module named 'cv2'")
    """
    found = re.search(r'(lib[\w.+-]*\.so[\w.]*): cannot open shared object file', text)
    return found[1] if found else None


def main(args: Namespace) -> None:
    """Try OpenCV, and put the headless package of the same version in its place if it must be.

    Raises:
        RunFailed: OpenCV cannot be imported for another reason, or installing failed.
    """
    said = _import_error()
    if said is None:
        return
    library = missing_library(said)
    if library is None:
        raise RunFailed(f'OpenCV cannot be loaded: {said}', hint='make setup installs it')
    version = _version(_FULL)
    if version is None:
        raise UsageError(f'OpenCV cannot be loaded ({library}), and {_FULL} is not installed',
                         hint=SYSTEM_LIBRARIES)
    _exchange(version)
    if (said := _import_error()) is not None:
        raise RunFailed(f'OpenCV cannot be loaded: {said}', hint='apt-get install libgl1 '
                        'libglib2.0-0')
    print(f'OpenCV: this system has no {library}, so {_HEADLESS} {version} is in the place of '
          f'{_FULL}')


def _import_error() -> str | None:
    """The last line of what importing OpenCV says, None where it is imported."""
    done = subprocess.run([sys.executable, '-c', 'import cv2'], capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ['no reason'])[-1]


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _exchange(version: str) -> None:
    """Take opencv-python out and put the headless one in, which is at hand before."""
    wanted = f'{_HEADLESS}=={version}'
    if importlib.util.find_spec('pip') is None:  # an environment that uv made
        _run('uv', 'pip', 'uninstall', '--python', sys.executable, _FULL, _HEADLESS)
        _run('uv', 'pip', 'install', '--python', sys.executable, '--no-deps', wanted)
        return
    pip = (sys.executable, '-m', 'pip', '--disable-pip-version-check', '--quiet')
    with tempfile.TemporaryDirectory() as folder:
        _run(*pip, 'download', '--no-deps', '--only-binary', ':all:', '--dest', folder, wanted)
        (wheel,) = Path(folder).glob('*.whl')
        # Both own the folder cv2: what is left of either would mix.
        _run(*pip, 'uninstall', '--yes', _FULL, _HEADLESS)
        _run(*pip, 'install', '--no-deps', str(wheel))


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise RunFailed(f'`{command[0]}` cannot be run: {error}', hint=SYSTEM_LIBRARIES) from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ['it gives no reason'])[-1]
        raise RunFailed(f'`{" ".join(command[-4:])}` failed: {said}', hint='apt-get install libgl1 '
                        'libglib2.0-0 keeps opencv-python')


def parser() -> CommandParser:
    """Of `python -m amlnn.opencv`, which has no options."""
    return CommandParser('See that OpenCV can be loaded; without the libraries of windows, by '
                         'opencv-python-headless.', 'python -m amlnn.opencv')


if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
