"""Nobody else can plant anything in a cache, or have it write through a link."""

import stat

import numpy as np
import pytest
import torch

from amlnn.data.cache.cache_folder import CacheFolder
from amlnn.data.cache.feature_store import FeatureStore
from amlnn.data.cache.slot_file import SlotFile

IDS = ['a', 'b', 'c', 'd']


def opened(root, said):
    return FeatureStore.open(root, {'trunk': 'k'}, (2,), torch.float32, IDS, 1, 10**9, said.append)


def features():
    return torch.arange(8.).reshape(4, 2)


@pytest.fixture
def root(tmp_path):
    with opened(tmp_path / 'root', []) as store:
        assert store.write(0, range(4), features()) == 4
    return tmp_path / 'root'


def folder_of(root):
    (folder,) = root.iterdir()
    return folder


def modes(*paths):
    return {stat.S_IMODE(path.lstat().st_mode) for path in paths}


def test_folders_and_files_are_closed_to_others(root):
    assert modes(root, folder_of(root)) == {0o700}
    files = [path for path in folder_of(root).iterdir() if path.name != 'key.json']
    assert len(files) == 2 and modes(*files) == {0o600}


def test_a_folder_of_a_key_that_others_may_read_is_closed(root):
    folder_of(root).chmod(0o755)
    with opened(root, []) as store:
        assert not len(store.read(0, range(4))[1])
    assert modes(folder_of(root)) == {0o700}


@pytest.mark.parametrize('inner', [False, True])
def test_what_others_can_write_to_is_neither_read_nor_written(root, inner):
    (folder_of(root) if inner else root).chmod(0o777)
    before = {path.name: path.read_bytes() for path in folder_of(root).iterdir()}
    said = []
    with opened(root, said) as store:
        assert len(store.read(0, range(4))[1]) == 4
        assert store.write(0, range(4), features() + 1) == 0
    assert {path.name: path.read_bytes() for path in folder_of(root).iterdir()} == before
    assert len(said) == 1 and 'others can write to it (mode 777)' in said[0]


@pytest.mark.parametrize('inner', [False, True])
def test_what_belongs_to_another_user_is_neither_read_nor_written(root, inner, monkeypatch):
    owned = root.stat().st_ino if inner else None
    monkeypatch.setattr('amlnn.user_cache._own', lambda found: found.st_ino == owned)
    said = []
    with opened(root, said) as store:
        assert len(store.read(0, range(4))[1]) == 4
    assert len(said) == 1 and 'another user' in said[0]


@pytest.mark.parametrize('name', ['view_00000.data', 'view_00000.sums'])
def test_a_link_in_the_place_of_a_file_is_not_followed(root, name, tmp_path):
    victim = tmp_path / 'victim'
    victim.write_bytes(b'of somebody' * 20)
    (folder_of(root) / name).unlink()
    (folder_of(root) / name).symlink_to(victim)
    said = []
    with opened(root, said) as store:
        assert len(store.read(0, range(4))[1]) == 4
        assert store.write(0, range(4), features()) == 0
    assert victim.read_bytes() == b'of somebody' * 20
    assert len(said) == 1, said


def test_a_link_in_the_place_of_the_description_is_not_followed(root, tmp_path):
    victim = tmp_path / 'victim'
    victim.write_text('of somebody')
    (folder_of(root) / 'key.json').unlink()
    (folder_of(root) / 'key.json').symlink_to(victim)
    said = []
    with opened(root, said) as store:
        store.read(0, range(4))
    assert victim.read_text() == 'of somebody' and len(said) == 1


def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path):
    said = []
    name = CacheFolder(tmp_path / 'root', {'a': 1}, 10**6, said.append).path.name
    (tmp_path / 'elsewhere').mkdir(mode=0o700)
    (tmp_path / 'other').mkdir(mode=0o700)
    (tmp_path / 'other' / name).symlink_to(tmp_path / 'elsewhere')
    folder = CacheFolder(tmp_path / 'other', {'a': 1}, 10**6, said.append)
    assert not SlotFile(folder, 'images', np.array([0, 8])).write(0, np.ones(8, np.uint8))
    assert list((tmp_path / 'elsewhere').iterdir()) == []
    assert len(said) == 1 and 'it is a link' in said[0]


def test_making_room_takes_no_links_away(tmp_path):
    victim = tmp_path / 'victim'
    victim.mkdir()
    (victim / 'file').write_bytes(bytes(900))
    root = tmp_path / 'root'
    root.mkdir(mode=0o700)
    (root / ('0' * 64)).symlink_to(victim)
    folder = CacheFolder(root, {'a': 1}, 1000, [].append)
    assert SlotFile(folder, 'images', np.array([0, 800])).write(0, np.ones(800, np.uint8))
    assert (victim / 'file').is_file()
