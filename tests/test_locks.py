import errno
import fcntl
import os
import subprocess
import sys

import pytest

from amlnn.errors import DataError, UsageError
from amlnn.folder_swap import locked
from amlnn.locks import NoLocksError, take_lock
from amlnn.run_folder import RunLock

HOLDER = """
import sys, time
from pathlib import Path
from amlnn.locks import take_lock
take_lock(Path(sys.argv[1]), shared=sys.argv[2] == 'shared')
print('held', flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / 'folder'
    path.mkdir()
    return path


def hold(path, kind):
    process = subprocess.Popen([sys.executable, '-c', HOLDER, path, kind], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b'held\n'
    return process


@pytest.mark.parametrize(('kind', 'wanted', 'free'), [
    ('alone', 'alone', False), ('alone', 'shared', False), ('shared', 'alone', False),
    ('shared', 'shared', True)])
def test_a_folder_is_locked_against_another_process_until_that_is_killed(
        folder, kind, wanted, free):
    with hold(folder, kind) as process:
        if free:
            os.close(take_lock(folder, shared=wanted == 'shared'))
        else:
            with pytest.raises(BlockingIOError):
                take_lock(folder, shared=wanted == 'shared')
        process.kill()
    os.close(take_lock(folder))
    assert not list(folder.iterdir())  # no file is left in a folder


def test_a_closed_handle_gives_the_lock_back_and_a_refused_one_is_closed(folder):
    def handles():
        return len(os.listdir('/proc/self/fd'))  # noqa: PTH208
    before = handles()
    first = take_lock(folder)
    with pytest.raises(BlockingIOError):
        take_lock(folder)
    os.close(first)
    os.close(take_lock(folder))
    assert handles() == before


def deleting_before_it_locks(path, monkeypatch):
    flock, deleted = fcntl.flock, []

    def late(handle, kind):
        if not deleted:
            deleted.append(path)
            path.rmdir() if path.is_dir() else path.unlink()
        flock(handle, kind)
    monkeypatch.setattr(fcntl, 'flock', late)
    return deleted


def test_a_folder_that_was_deleted_meanwhile_is_not_locked(folder, monkeypatch):
    assert deleting_before_it_locks(folder, monkeypatch) == []
    with pytest.raises(FileNotFoundError):
        take_lock(folder)


def test_a_file_that_was_deleted_meanwhile_is_made_anew_and_locked(folder, monkeypatch):
    file = folder / 'file'
    deleted = deleting_before_it_locks(file, monkeypatch)
    handle = take_lock(file, create=True)
    assert deleted == [file]
    assert os.path.samestat(os.fstat(handle), file.stat())
    with pytest.raises(BlockingIOError):
        take_lock(file)
    os.close(handle)


@pytest.fixture(params=['a disk without', 'a system without'])
def no_locks(request, monkeypatch):
    def unsupported(*args):
        raise OSError(errno.ENOLCK, 'No locks available')
    if request.param == 'a disk without':
        monkeypatch.setattr(fcntl, 'flock', unsupported)
    else:
        monkeypatch.setattr('amlnn.locks.fcntl', None)


def test_a_disk_without_locks_is_told_from_a_lock_that_is_held(folder, no_locks):
    with pytest.raises(NoLocksError, match='No locks available'):
        take_lock(folder)


def test_without_locks_runs_and_data_sets_are_still_written(folder, no_locks):
    with RunLock(folder), RunLock(folder):
        pass
    with locked(folder / 'data'), locked(folder / 'data'):
        pass
    assert not list(folder.iterdir())


def test_with_locks_a_second_writer_is_a_mistake_of_the_user(folder):
    with RunLock(folder), pytest.raises(UsageError, match='another process'):
        RunLock(folder)
    with locked(folder / 'data'), pytest.raises(DataError, match='another run'), \
            locked(folder / 'data'):
        pass
