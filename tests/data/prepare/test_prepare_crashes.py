"""Whatever interrupts a preparation, the data set that was there stays whole."""

import fcntl
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from raw_folders import leftovers, names, quietly, raw_folder, tree
from rich.console import Console

from amlnn.data.prepare.inspect import in_threads
from amlnn.data.prepare.manifest import manifest_hash
from amlnn.errors import DataError, RunFailed
from amlnn.folder_swap import work_folder


@pytest.fixture
def raw(tmp_path):
    return raw_folder(tmp_path / 'raw', cat=4, dog=4)


@pytest.fixture
def old(raw, tmp_path):
    """A data set at tmp_path/out, which another seed would replace by another one."""
    quietly(raw, tmp_path / 'out')
    return tree(tmp_path / 'out')


@pytest.fixture
def new(raw, tmp_path):
    quietly(raw, tmp_path / 'elsewhere' / 'out', seed=1)
    return tree(tmp_path / 'elsewhere' / 'out')


@pytest.mark.parametrize('error', [OSError(28, 'No space left on device'), KeyboardInterrupt(),
                                   ValueError('boom')], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize('call', [1, 2])
def test_a_failure_in_basedt_leaves_the_old_data_set_and_nothing_else(
        raw, tmp_path, old, monkeypatch, error, call):
    from BaseDT.dataset import DataSet
    convert, calls = DataSet.make_dataset, []

    def failing(self, source, **options):
        calls.append(source)
        if len(calls) == call:
            raise error
        return convert(self, source, **options)
    monkeypatch.setattr(DataSet, 'make_dataset', failing)
    expected = {OSError: DataError, ValueError: RunFailed}.get(type(error), type(error))
    with pytest.raises(expected):
        quietly(raw, tmp_path / 'out', seed=1, overwrite=True)
    assert len(calls) == call
    assert tree(tmp_path / 'out') == old
    assert names(tmp_path) == ['out', 'raw']


@pytest.mark.parametrize('error', [OSError(5, 'Input/output error'), KeyboardInterrupt()],
                         ids=lambda error: type(error).__name__)
def test_a_failure_at_any_rename_leaves_the_old_data_set_or_the_new_one(
        raw, tmp_path, old, new, monkeypatch, error):
    replace, seen = os.replace, []
    for number in range(1, 100):
        calls = 0

        def failing(source, target, number=number):
            nonlocal calls
            calls += 1
            if calls == number:
                raise error
            replace(source, target)
        monkeypatch.setattr(os, 'replace', failing)
        try:
            quietly(raw, tmp_path / 'out', seed=1, overwrite=True)
        except (DataError, KeyboardInterrupt):
            state = tree(tmp_path / 'out')
            assert state in (old, new)
            seen.append(state == new)
        else:
            break
        finally:
            monkeypatch.setattr(os, 'replace', replace)
        assert names(tmp_path) == ['elsewhere', 'out', 'raw']
        quietly(raw, tmp_path / 'out', overwrite=True)
        assert tree(tmp_path / 'out') == old
    # 8 images and the manifest, old aside, new in: until here the old one; then old to rubbish.
    assert seen == [False] * 11 + [True]
    assert tree(tmp_path / 'out') == new


def test_ctrl_c_while_images_are_checked_leaves_nothing(raw, tmp_path, monkeypatch):
    import cv2

    def interrupted(*args):
        raise KeyboardInterrupt
    monkeypatch.setattr(cv2, 'imdecode', interrupted)
    with pytest.raises(KeyboardInterrupt):
        quietly(raw, tmp_path / 'a' / 'b' / 'out')
    assert names(tmp_path) == ['raw']


def test_after_an_exception_what_has_not_begun_is_not_done():
    begun = []

    def work(number):
        begun.append(number)
        if number == 0:
            raise KeyboardInterrupt
        time.sleep(0.02)
    with pytest.raises(KeyboardInterrupt):
        in_threads(work, range(500), '', Console(file=io.StringIO()))
    done = len(begun)
    assert done < 100
    time.sleep(0.1)
    assert len(begun) == done


KILLED = '''
import os, shutil, sys
from amlnn.data.prepare.prepare import prepare
point, replace, rmtree = sys.argv[3], os.replace, shutil.rmtree
def replacing(source, target):
    if point == 'before swap' and str(source).endswith('/out'):
        os._exit(9)
    if point == 'amid swap' and str(source).endswith('/new'):
        os._exit(9)
    replace(source, target)
    if point == 'after swap' and str(source).endswith('/new'):
        os._exit(9)
def removing(path, *args, **options):
    if point == 'deleting' and os.path.exists(os.path.join(path, 'rubbish')):
        os.remove(os.path.join(path, 'rubbish', 'classes.txt'))
        os._exit(9)
    rmtree(path, *args, **options)
os.replace, shutil.rmtree = replacing, removing
if point == 'basedt':
    from BaseDT.dataset import DataSet
    DataSet.make_dataset = lambda *args, **options: os._exit(9)
prepare(sys.argv[1], sys.argv[2], seed=1, overwrite=True)
'''


@pytest.mark.parametrize(('point', 'survivor'), [
    ('basedt', 'old'), ('before swap', 'old'), ('amid swap', 'old'), ('after swap', 'new'),
    ('deleting', 'new')])
def test_after_a_kill_the_next_run_finds_a_whole_data_set_and_clears_up(
        raw, tmp_path, old, new, point, survivor):
    out = tmp_path / 'out'
    done = subprocess.run([sys.executable, '-c', KILLED, raw, out, point], capture_output=True)
    assert done.returncode == 9
    assert leftovers(tmp_path) == ['.out.amlnn-lock', '.out.amlnn-work']
    assert out.exists() == (point != 'amid swap')
    if point == 'amid swap':
        assert tree(work_folder(out) / 'old') == old
    with pytest.raises(DataError, match='exists'):  # a run that changes nothing but clears up
        quietly(raw, out)
    assert tree(out) == {'old': old, 'new': new}[survivor]
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_nothing_behind(raw, tmp_path, old, number, status):
    script = '''
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
sys.path.insert(0, sys.argv[1])
import data_preprocess
from amlnn.command import run_command
from BaseDT.dataset import DataSet
def waiting(*args, **options):
    print('ready', file=sys.stderr, flush=True)
    time.sleep(60)
DataSet.make_dataset = waiting
sys.exit(run_command(data_preprocess.parser(), data_preprocess.main, sys.argv[2:]))
'''
    root = Path(__file__).parents[3]
    command = [sys.executable, '-W', 'ignore', '-c', script, root, raw, tmp_path / 'out']
    with subprocess.Popen([*command, '--overwrite', '--seed', '1'],
                          stderr=subprocess.PIPE) as process:
        assert process.stderr.readline() == b'ready\n'
        process.send_signal(number)
        assert process.wait(20) == status
    assert tree(tmp_path / 'out') == old
    assert leftovers(tmp_path) == []


def test_two_runs_on_one_folder_do_not_disturb_each_other(raw, tmp_path, old):
    lock = tmp_path / '.out.amlnn-lock'
    work = work_folder(tmp_path / 'out')
    work.mkdir()
    (work / 'precious').touch()
    with lock.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DataError, match='another run is writing'):
            quietly(raw, tmp_path / 'out', overwrite=True)
        assert (work / 'precious').exists()
    quietly(raw, tmp_path / 'out', overwrite=True)
    assert leftovers(tmp_path) == []


def test_a_data_set_made_meanwhile_by_someone_else_is_not_replaced(raw, tmp_path, monkeypatch):
    from BaseDT.dataset import DataSet
    convert, out = DataSet.make_dataset, tmp_path / 'out'

    def slow(self, source, **options):
        convert(self, source, **options)
        (out / 'training_set').mkdir(parents=True, exist_ok=True)
        (out / 'classes.txt').write_text('theirs\n')
    monkeypatch.setattr(DataSet, 'make_dataset', slow)
    with pytest.raises(DataError, match='exists'):
        quietly(raw, out)
    assert tree(out).keys() == {'classes.txt', 'training_set'}
    assert leftovers(tmp_path) == []


def test_leftovers_of_other_data_sets_are_not_touched(raw, tmp_path):
    other = work_folder(tmp_path / 'output')
    other.mkdir()
    quietly(raw, tmp_path / 'out')
    assert other.exists()
    assert manifest_hash(tmp_path / 'out')
    assert time.time() - (tmp_path / 'out').stat().st_mtime < 600
