"""All caches under a root stay below its limit, and the longest unused make room."""

import os
import shutil
import subprocess
import sys

import pytest
import torch

from amlnn.data.cache.feature_store import FeatureStore

VIEW = 4 * (1000 + 8)
"""Bytes of a view of four rows of 1000 bytes."""


def opened(root, key, limit, said, views=1):
    return FeatureStore.open(root, {'trunk': key}, (1000,), torch.uint8, list('abcd'), views,
                             limit, said.append)


def fill(root, key, limit, said, views=1, used=0):
    """Write all views of a store; gives the number of rows kept."""
    with opened(root, key, limit, said, views) as store:
        kept = sum(store.write(view, range(4), torch.full((4, 1000), view + 1, dtype=torch.uint8))
                   for view in range(views))
    os.utime(store.folder.path / 'key.json', (used, used))
    return kept


def keys(root):
    """Bytes of the features by key."""
    return {(folder / 'key.json').read_text().split('"trunk": "')[1][0]:
            sum(file.stat().st_size for file in folder.glob('view*')) for folder in root.iterdir()}


def total(root):
    return sum(file.stat().st_size for file in root.rglob('*') if file.is_file())


@pytest.fixture
def root(tmp_path):
    """Stores a, b and c of one view each; b was not used for longest, then c."""
    for key, used in (('a', 30), ('b', 10), ('c', 20)):
        assert fill(tmp_path / 'root', key, 10**6, [], used=used) == 4
    return tmp_path / 'root'


def test_the_longest_unused_stores_make_room_and_no_more_than_needed(root):
    limit, said = total(root) + VIEW // 2, []
    assert fill(root, 'd', limit, said) == 4
    assert keys(root) == dict.fromkeys('acd', VIEW)
    assert total(root) <= limit
    assert fill(root, 'e', limit, said, views=2) == 8
    assert sum(keys(root).values()) <= limit
    assert keys(root)['e'] == 2 * VIEW
    assert total(root) <= limit
    assert said == []


@pytest.mark.parametrize('forget', ['when it was opened', 'when it was closed'])
def test_using_a_store_is_what_keeps_it(root, forget):
    store = opened(root, 'b', 10**6, [])
    if forget == 'when it was opened':
        os.utime(store.folder.path / 'key.json', (0, 0))
        store.close()
    else:
        store.folder._touch = lambda: None  # as if killed
        store.close()
    assert fill(root, 'd', total(root) + VIEW // 2, []) == 4
    assert keys(root).keys() == set('abd')


def test_a_store_in_use_is_not_deleted(root):
    said = []
    with opened(root, 'b', 10**6, said) as used:
        assert fill(root, 'd', total(root) + VIEW // 2, said) == 4
        assert keys(root).keys() == set('abd')
        assert not len(used.read(0, range(4))[1])
    assert said == []


def test_a_store_that_another_process_uses_is_not_deleted_until_that_process_ends(root):
    script = '''
import fcntl, os, sys, time
handles = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
for handle in handles:
    fcntl.flock(handle, fcntl.LOCK_SH)
print('held', flush=True)
time.sleep(60)
'''
    said = []
    with subprocess.Popen([sys.executable, '-c', script, *root.iterdir()],
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b'held\n'
        assert fill(root, 'd', total(root) + VIEW // 2, said) == 0
        assert keys(root) == dict.fromkeys('abc', VIEW) | {'d': 0}
        process.kill()
    assert len(said) == 1
    assert 'would not fit' in said[0]
    assert fill(root, 'd', total(root) + VIEW // 2, said) == 4


def test_nothing_is_deleted_in_vain(root):
    said = []
    with opened(root, 'a', 10**6, said):
        # Deleting b and c would not make enough room for a view as long as a is held.
        with opened(root, 'd', 10**6, said) as large:
            large.write(0, [0], torch.ones((1, 1000), dtype=torch.uint8))
            assert fill(root, 'e', 2 * VIEW + total(root) - sum(keys(root).values()), said) == 0
        assert keys(root).keys() == set('abcde')
    assert len(said) == 1


def test_views_that_do_not_fit_are_left_out_and_the_first_ones_kept(tmp_path):
    said = []
    assert fill(tmp_path, 'a', int(2.6 * VIEW), said, views=5) == 8
    assert len(said) == 1
    assert '5 views of 4.03 kB each' in said[0]
    assert 'only the first 2 are kept' in said[0]
    with opened(tmp_path, 'a', int(2.6 * VIEW), said, views=5) as store:
        assert [store.writable(view) for view in range(5)] == [True, True, False, False, False]
        assert [len(store.missing(view)) for view in range(5)] == [0, 0, 4, 4, 4]
        # What is there can still be put right.
        assert store.write(1, [3], torch.ones((1, 1000), dtype=torch.uint8)) == 1


def test_a_store_of_which_no_view_fits_keeps_none_and_says_so_once(tmp_path):
    said = []
    assert fill(tmp_path / 'root', 'a', VIEW - 1, said, views=2) == 0
    assert len(said) == 1
    assert said[0].endswith('none is kept')
    assert keys(tmp_path / 'root') == {'a': 0}


def test_a_store_that_is_full_says_so_once_and_still_repairs_what_it_has(root):
    said = []
    limit = total(root) + 3 * VIEW // 2
    with opened(root, 'a', limit, said), opened(root, 'b', limit, said), \
            opened(root, 'c', limit, said), opened(root, 'd', limit, said, views=3) as store:
        rows = torch.ones((4, 1000), dtype=torch.uint8)
        assert [store.write(view, range(4), rows) for view in range(3)] == [4, 0, 0]
        assert store.write(0, range(4), 2 * rows) == 4
        assert [store.writable(view) for view in range(3)] == [True, False, False]
    assert len(said) == 1


def test_space_is_left_on_the_disk_for_others(root, monkeypatch):
    free = []
    monkeypatch.setattr('shutil.disk_usage',
                        lambda path: type('Usage', (), {'free': (1 << 30) + free[-1]})())
    said = []
    free.append(VIEW - 1)  # a byte short: one store goes
    assert fill(root, 'd', 10**6, said) == 4
    assert keys(root).keys() == set('acd')
    free.append(-10**6)
    assert fill(root, 'e', 10**6, said) == 0
    assert keys(root).keys() == set('acde')
    assert len(said) == 1


def test_a_deletion_that_was_interrupted_is_finished(root):
    doomed = root / f'.{"0" * 64}.evicted'
    shutil.copytree(next(root.iterdir()), doomed)
    fill(root, 'd', 10**6, [])
    assert not doomed.exists()
    assert keys(root).keys() == set('abcd')


def test_what_is_no_cache_is_neither_counted_nor_deleted(root):
    (root / 'mine').mkdir()
    (root / 'mine' / 'photo.jpg').write_bytes(bytes(10**6))
    (root / 'note.txt').write_text('keep')
    said = []
    assert fill(root, 'd', total(root) - 10**6 + VIEW, said) == 4
    assert (root / 'mine' / 'photo.jpg').exists()
    assert (root / 'note.txt').exists()
    assert said == []


def test_a_store_that_is_deleted_while_it_is_opened_is_made_anew(root, monkeypatch):
    import fcntl
    flock, deleted = fcntl.flock, []

    def late(handle, kind):
        if not deleted:
            deleted.append(opened_path)
            shutil.rmtree(opened_path)
        flock(handle, kind)
    with opened(root, 'a', 10**6, []) as store:
        opened_path = store.folder.path
    monkeypatch.setattr(fcntl, 'flock', late)
    with opened(root, 'a', 10**6, []) as store:
        assert deleted
        assert len(store.missing(0)) == 4
        handle = os.open(store.folder.path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):  # what is locked is the folder of that name
            flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        assert store.write(0, [0], torch.ones((1, 1000), dtype=torch.uint8)) == 1


def test_a_process_that_makes_room_for_too_long_is_not_waited_for(root, monkeypatch):
    import fcntl
    monkeypatch.setattr('amlnn.data.cache.cache_folder._PATIENCE', 0.05)
    said = []
    handle = os.open(root, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert fill(root, 'd', 10**6, said) == 0
    os.close(handle)
    assert len(said) == 1
    assert 'another process' in said[0]
