"""Whatever happens to the files of a store, no wrong row is served and nothing is raised."""

import errno
import os
import shutil
import subprocess
import sys

import pytest
import torch

from amlnn.data.cache.feature_store import FeatureStore

pytestmark = pytest.mark.slow

IDS = ['a', 'b', 'c', 'd']
NAMES = ['key.json', 'view_00000.data', 'view_00000.sums', 'view_00001.data', 'view_00001.sums']


class Said(list):
    """Collects the lines that a store says."""

    def __call__(self, text):
        assert '\n' not in text
        self.append(text)


def opened(root, warn, key='k', views=3, shape=(2,), dtype=torch.bfloat16):
    return FeatureStore.open(root, {'trunk': key}, shape, dtype, IDS, views, 10**9, warn)


def truth(view):
    return torch.arange(8).reshape(4, 2).add(10 * view + 1).bfloat16()


@pytest.fixture
def path(tmp_path):
    """Folder of a store with two views of four rows, which is not open."""
    with opened(tmp_path / 'root', print) as store:
        for view in (0, 1):
            assert store.write(view, range(4), truth(view)) == 4
    assert sorted(file.name for file in store.folder.path.iterdir()) == NAMES
    return store.folder.path


def check_and_repair(path, expect_missing=None):
    """Read everything, write what is missing, read again; gives what was said, and the missing."""
    said, lost = Said(), []
    with opened(path.parent, said) as store:
        for view in (0, 1):
            features, missing = store.read(view, range(4))
            good = sorted(set(range(4)) - set(missing.tolist()))
            assert torch.equal(features[good], truth(view)[good])
            assert features[missing].isnan().all()
            assert store.missing(view).tolist() == missing.tolist()
            lost += [(view, index) for index in missing.tolist()]
            assert store.write(view, missing, truth(view)[missing]) == len(missing)
            assert not len(store.read(view, range(4))[1])
            assert not len(store.missing(view))
    again = Said()
    with opened(path.parent, again) as store:
        for view in (0, 1):
            assert torch.equal(store.read(view, range(4))[0], truth(view))
    assert again == []
    return said, lost


def test_an_untouched_store_is_whole_and_says_nothing(path):
    assert check_and_repair(path) == ([], [])


@pytest.mark.parametrize('name', NAMES)
def test_no_flipped_bit_is_ever_served(path, name):
    whole = (path / name).read_bytes()
    for place in range(0, len(whole), 23 if name == 'key.json' else 1):
        for bit in range(8):
            broken = bytearray(whole)
            broken[place] ^= 1 << bit
            (path / name).write_bytes(broken)
            said, lost = check_and_repair(path)
            assert (path / name).read_bytes() == whole
            assert len(said) == 1, (place, bit)
            if name == 'key.json':
                assert lost == []
                assert 'written anew' in said[0]
            else:
                row = place // (4 if name.endswith('data') else 8)
                assert lost == [(int(name[9]), row)]
                assert 'damaged' in said[0]


@pytest.mark.parametrize('name', NAMES)
def test_no_part_of_a_truncated_file_is_taken_for_more(path, name):
    whole = (path / name).read_bytes()
    for length in range(0, len(whole), 50 if name == 'key.json' else 1):
        (path / name).write_bytes(whole[:length])
        said, lost = check_and_repair(path)
        assert (path / name).read_bytes() == whole
        assert len(said) == 1
        if name != 'key.json':
            whole_rows = length // (4 if name.endswith('data') else 8)
            assert lost == [(int(name[9]), row) for row in range(whole_rows, 4)]


@pytest.mark.parametrize('name', NAMES)
def test_a_file_that_was_deleted_or_emptied_or_filled_with_noise_costs_only_its_rows(path, name):
    whole = (path / name).read_bytes()
    (path / name).unlink()
    check_and_repair(path)
    assert (path / name).read_bytes() == whole
    for content in (b'', bytes(len(whole)), b'\xff' * len(whole), os.urandom(3 * len(whole))):
        (path / name).write_bytes(content)
        check_and_repair(path)


def test_files_of_another_store_or_view_or_version_are_not_taken_for_this_ones(
        path, tmp_path, monkeypatch):
    copies = tmp_path / 'copies'
    shutil.copytree(path, copies / 'this')
    with opened(tmp_path / 'root', print, key='another trunk') as store:
        store.write(0, range(4), truth(0) + 1)
    with monkeypatch.context() as patch:
        patch.setattr('amlnn.data.cache.cache_folder.FORMAT', 0)
        with opened(tmp_path / 'root', print) as older:
            older.write(0, range(4), truth(0) + 1)
    others = [(copies / 'this', 1), (store.folder.path, 0), (older.folder.path, 0)]
    assert len({folder for folder, _ in others}) == 3
    for folder, view in others:
        for end in ('data', 'sums'):
            shutil.copy(folder / f'view_{view:05}.{end}', path / f'view_00000.{end}')
        said, lost = check_and_repair(path)
        assert lost == [(0, index) for index in range(4)]
        assert len(said) == 1


def test_rows_that_changed_places_with_their_checksums_are_not_served(path):
    for name in NAMES[1:3]:
        content = (path / name).read_bytes()
        width = len(content) // 4
        (path / name).write_bytes(content[width:2 * width] + content[:width] + content[2 * width:])
    assert check_and_repair(path)[1] == [(0, 0), (0, 1)]


def test_a_file_cut_off_while_it_is_read_loses_rows_and_not_the_process(path):
    said = Said()
    with opened(path.parent, said) as store:
        assert not len(store.read(0, range(4))[1])
        os.truncate(path / 'view_00000.data', 9)
        features, missing = store.read(0, range(4))
    assert missing.tolist() == [2, 3]
    assert torch.equal(features[:2], truth(0)[:2])
    assert len(said) == 1


def test_a_disk_that_cannot_be_read_is_as_good_as_an_empty_one(path, monkeypatch):
    def broken(*args):
        raise OSError(errno.EIO, 'Input/output error')
    monkeypatch.setattr(os, 'preadv', broken)
    with opened(path.parent, Said()) as store:
        assert store.read(0, range(4))[1].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize('call', range(9))
def test_a_disk_that_is_full_in_mid_write_ends_the_writing_and_nothing_else(
        tmp_path, monkeypatch, call):
    pwrite, calls, said = os.pwrite, [], Said()

    def filling(handle, piece, offset):
        calls.append(offset)
        if len(calls) - 1 >= call:
            pwrite(handle, piece[:len(piece) // 2], offset)
            raise OSError(errno.ENOSPC, 'No space left on device')
        return pwrite(handle, piece, offset)
    monkeypatch.setattr(os, 'pwrite', filling)
    with opened(tmp_path, said) as store:
        kept = store.write(0, range(4), truth(0))
        assert kept == min(4, call // 2)
        assert store.write(1, range(4), truth(1)) == (call == 8 and 0)
        assert store.writable(0) is False
        features, missing = store.read(0, range(4))
        assert missing.tolist() == list(range(kept, 4))
        assert torch.equal(features[:kept], truth(0)[:kept])
    assert len(said) == 1
    assert said[0].endswith('nothing more is kept: No space left on device')
    monkeypatch.undo()
    with opened(tmp_path, said) as store:
        assert store.missing(0).tolist() == missing.tolist()
        assert store.write(0, missing, truth(0)[missing]) == len(missing)
        assert torch.equal(store.read(0, range(4))[0], truth(0))


def test_a_disk_without_the_space_for_a_view_is_not_filled_at_all(tmp_path):
    script = '''
import resource, sys, torch
from amlnn.data.cache.feature_store import FeatureStore
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
with FeatureStore.open(sys.argv[1], {}, (1 << 17,), torch.float32, ['a', 'b', 'c'], 1,
                       warn=print) as store:
    print(store.write(0, [0], torch.zeros(1, 1 << 17)), store.read(0, [0])[1])
'''
    shown = subprocess.run([sys.executable, '-c', script, tmp_path], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    assert shown[0].endswith('nothing more is kept: File too large')
    assert shown[1:] == ['0 [0]']
    assert sum(file.stat().st_size for file in tmp_path.glob('*/view*')) == 0


def test_a_read_only_store_is_read_and_says_why_it_is_not_written(path, monkeypatch):
    os_open = os.open

    def read_only(name, flags, *mode, **options):
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, 'Read-only file system')
        return os_open(name, flags, *mode, **options)

    def untouchable(*args, **options):
        raise OSError(errno.EROFS, 'Read-only file system')
    monkeypatch.setattr(os, 'open', read_only)
    monkeypatch.setattr(os, 'utime', untouchable)
    said = Said()
    with opened(path.parent, said) as store:
        assert torch.equal(store.read(1, range(4))[0], truth(1))
        assert said == []
        assert store.write(2, [0], truth(2)[:1]) == 0
        assert store.write(1, [0], truth(1)[:1]) == 0
        assert torch.equal(store.read(1, range(4))[0], truth(1))
        assert store.reason == 'Read-only file system'
    assert len(said) == 1


@pytest.mark.parametrize('blocked', ['root', 'store'])
def test_where_no_folder_can_be_made_everything_is_missing(path, blocked):
    root = path.parent
    place = {'root': root, 'store': path}[blocked]
    shutil.rmtree(place)
    place.write_text('a file')
    said = Said()
    with opened(root, said) as store:
        assert store.read(0, range(4))[1].tolist() == [0, 1, 2, 3]
        assert store.missing(0).tolist() == [0, 1, 2, 3]
        assert store.write(0, range(4), truth(0)) == 0
        assert not store.writable(0)
    assert len(said) == 1


def test_a_store_that_vanishes_is_served_as_far_as_it_was_open(path):
    said = Said()
    with opened(path.parent, said) as store:
        store.read(0, [0])
        shutil.rmtree(path.parent)
        assert torch.equal(store.read(0, range(4))[0], truth(0))
        assert len(store.read(1, range(4))[1]) == 4
        assert store.write(2, range(4), truth(2)) == 0
        assert store.write(2, range(4), truth(2)) == 0
    assert said == [f'cache `{path}`: nothing more is kept: No such file or directory']


def test_without_file_locks_nothing_is_kept(tmp_path, monkeypatch):
    def unsupported(*args):
        raise OSError(errno.ENOLCK, 'No locks available')
    said = Said()
    monkeypatch.setattr('fcntl.flock', unsupported)
    with opened(tmp_path, said) as store:
        assert store.write(0, range(4), truth(0)) == 0
    monkeypatch.setattr('amlnn.locks.fcntl', None)
    with opened(tmp_path, said) as store:
        assert store.write(0, range(4), truth(0)) == 0
    assert len(said) == 2


KILLED = '''
import os, random, signal, sys, time
import torch
from amlnn.data.cache.feature_store import FeatureStore
torch.set_num_threads(1)
random.seed(int(sys.argv[2]))

ROWS, VIEWS, SHAPE = 60, 2, (64, 28, 28)

def truth(view, index):
    return torch.full((1, *SHAPE), 1 + view * ROWS + index, dtype=torch.float32)

def opened():
    return FeatureStore.open(sys.argv[1], {}, SHAPE, torch.float32, list(map(str, range(ROWS))),
                             VIEWS, warn=lambda text: None)

def build(rows=None):
    """Write what is missing; after so many rows end without any warning."""
    written = 0
    with opened() as store:
        for view in range(VIEWS):
            for index in store.missing(view):
                if written == rows:
                    os.kill(os.getpid(), signal.SIGKILL)
                store.write(view, [index], truth(view, index))
                written += 1
                os.write(1, b'.') if index == 0 else None

total = 0
for turn in range(8):
    child = os.fork()
    if not child:
        build(rows=5 + turn)
        os._exit(0)
    if turn % 2:  # killed at any moment; the others end themselves between two rows
        time.sleep(random.uniform(0.002, 0.03))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with opened() as store:
        right = 0
        for view in range(VIEWS):
            features, missing = store.read(view, range(ROWS))
            for index in set(range(ROWS)) - set(missing.tolist()):
                assert torch.equal(features[index], truth(view, index)[0]), (view, index)
                right += 1
    assert right >= total, 'a row that was there is lost'
    total = right
    print(right, flush=True)
build()
with opened() as store:
    assert not len(store.read(0, range(ROWS))[1]) and not len(store.read(1, range(ROWS))[1])
print('whole')
'''


def test_a_store_survives_being_killed_while_it_is_built(tmp_path):
    shown = subprocess.run([sys.executable, '-c', KILLED, tmp_path, '0'], capture_output=True,
                           text=True)
    assert shown.returncode == 0, shown.stderr
    *counts, last = shown.stdout.replace('.', '').split()
    assert last == 'whole'
    assert any(0 < int(count) < 120 for count in counts), counts  # it was killed in between


BUILT_AT_ONCE = '''
import os, sys
import torch
from amlnn.data.cache.feature_store import FeatureStore
torch.set_num_threads(1)
ROWS, SHAPE = 40, (128, 14, 14)

def truth(view, index, process):  # as two batch sizes may round differently
    return torch.full(SHAPE, 1 + view * ROWS + index + process / 2, dtype=torch.bfloat16)

def build(process):
    served = 0
    store = FeatureStore.open(sys.argv[1], {}, SHAPE, torch.bfloat16, list(map(str, range(ROWS))),
                              2, warn=lambda text: None)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(process)).split(4)
    for _ in range(10):
        for view in (0, 1):
            for indices in order:
                features, missing = store.read(view, indices)
                for place in set(range(4)) - set(missing.tolist()):
                    possible = [truth(view, int(indices[place]), other) for other in (0, 1)]
                    assert any(torch.equal(features[place], rows) for rows in possible)
                    served += 1
                rows = torch.stack([truth(view, int(index), process) for index in indices])
                store.write(view, indices, rows)
    store.close()
    assert served > 100

children = []
for process in (0, 1):
    child = os.fork()
    if not child:
        try:
            build(process)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
'''


def test_two_processes_that_build_one_store_at_once_serve_only_whole_rows(tmp_path):
    shown = subprocess.run([sys.executable, '-c', BUILT_AT_ONCE, tmp_path], capture_output=True,
                           text=True)
    assert shown.returncode == 0, shown.stdout + shown.stderr
