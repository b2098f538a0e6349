"""Where the system has no libraries for windows, the OpenCV without them is installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from generated import ROOT

from amlnn import opencv
from amlnn.errors import RunFailed, UsageError

# Looking for pip, where another test has compiled something.
pytestmark = pytest.mark.filterwarnings('ignore:Setuptools is replacing distutils')

MISSING = 'ImportError: libxcb.so.1: cannot open shared object file: No such file or directory'


class Machine:
    """Answers for the import and for pip, and keeps what it was asked."""

    def __init__(self, *imports: str | None, failing: str = 'nothing'):
        self.imports, self.failing, self.commands = list(imports), failing, []

    def import_error(self) -> str | None:
        return self.imports.pop(0)

    def run(self, *command: str) -> None:
        self.commands.append(' '.join(command[command.index('pip') + 1:]))
        if self.failing in command:
            raise RunFailed('no network')
        if 'download' in command:
            (Path(command[command.index('--dest') + 1]) / 'headless.whl').touch()


def on(machine: Machine, monkeypatch, installed: str | None = '5.0.0.93') -> Machine:
    monkeypatch.setattr(opencv, '_import_error', machine.import_error)
    monkeypatch.setattr(opencv, '_run', machine.run)
    monkeypatch.setattr(opencv, '_version', lambda name: installed)
    return machine


def test_an_opencv_that_can_be_imported_stays_and_nothing_is_said(monkeypatch, capsys):
    machine = on(Machine(None), monkeypatch)
    opencv.main(None)
    assert machine.commands == [] and capsys.readouterr().out == ''


def test_without_a_system_library_the_same_version_without_windows_is_put_in_its_place(
        monkeypatch, capsys):
    machine = on(Machine(MISSING, None), monkeypatch)
    opencv.main(None)
    download, uninstall, install = machine.commands
    assert download.endswith('opencv-python-headless==5.0.0.93')
    assert 'uninstall --yes opencv-python opencv-python-headless' in uninstall
    assert 'install --no-deps' in install and install.endswith('headless.whl')
    (line,) = capsys.readouterr().out.splitlines()
    assert 'libxcb.so.1' in line and 'opencv-python-headless 5.0.0.93' in line


def test_what_is_there_is_taken_out_only_once_the_other_is_at_hand(monkeypatch):
    machine = on(Machine(MISSING, failing='download'), monkeypatch)
    with pytest.raises(RunFailed, match='no network'):
        opencv.main(None)
    assert not any('uninstall' in command for command in machine.commands)


def test_an_environment_without_pip_is_served_by_uv(monkeypatch):
    machine = on(Machine(MISSING, None), monkeypatch)
    monkeypatch.setattr(opencv.importlib.util, 'find_spec', lambda name: None)
    opencv.main(None)
    assert len(machine.commands) == 2 and all('--python' in each for each in machine.commands)


@pytest.mark.parametrize(('said', 'installed', 'kind'), [
    ("ModuleNotFoundError: No module named 'cv2'", '5.0.0.93', RunFailed),
    ('ImportError: numpy.core.multiarray failed to import', '5.0.0.93', RunFailed),
    (MISSING, None, UsageError)])
def test_any_other_reason_is_an_error_that_repeats_it(said, installed, kind, monkeypatch):
    machine = on(Machine(said), monkeypatch, installed)
    with pytest.raises(kind, match=r'OpenCV cannot be loaded'):
        opencv.main(None)
    assert machine.commands == []


def test_this_machines_opencv_is_left_as_it_is():
    done = subprocess.run([sys.executable, '-m', 'amlnn.opencv'], capture_output=True, text=True,
                          cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_make_and_the_line_for_plain_pip_both_see_to_it():
    for name in ('Makefile', 'README.md'):
        assert 'python -m amlnn.opencv' in (ROOT / name).read_text()
