import os
import stat
from pathlib import Path

import pytest

from amlnn.user_cache import (
    cache_folder,
    read_cached,
    read_cached_bytes,
    write_cached,
    write_cached_bytes,
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    return tmp_path


def test_the_cache_lies_where_the_user_keeps_caches(home, monkeypatch):
    assert cache_folder() == home / '.cache' / 'amlnn'
    (home / '.cache' / 'amlnn').mkdir(parents=True)
    assert cache_folder() == home / '.cache' / 'amlnn'
    monkeypatch.setenv('XDG_CACHE_HOME', str(home / 'chosen'))
    assert cache_folder() == home / 'chosen' / 'amlnn'


def test_a_system_that_keeps_them_elsewhere_finds_an_earlier_cache_again(home, monkeypatch):
    import platformdirs.macos
    monkeypatch.setattr('platformdirs.PlatformDirs', platformdirs.macos.MacOS)
    assert cache_folder() == home / 'Library' / 'Caches' / 'amlnn'
    (home / '.cache' / 'amlnn').mkdir(parents=True)
    assert cache_folder() == home / '.cache' / 'amlnn'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def cache(home, monkeypatch):
    monkeypatch.setattr('amlnn.user_cache._warned', set())
    return home / '.cache' / 'amlnn'


def test_what_was_kept_is_read_from_folders_that_are_closed_to_others(cache):
    assert read_cached('kind', 'name') is None
    write_cached('kind', 'name', 'täxt')
    assert read_cached('kind', 'name') == 'täxt'
    assert mode(cache) == mode(cache / 'kind') == 0o700


@pytest.mark.parametrize('damage', [
    lambda content: b'', lambda content: content[:20], lambda content: content[:-1],
    lambda content: bytes([content[0] ^ 1]) + content[1:],
    lambda content: content[:-2] + bytes([content[-2] ^ 8]) + content[-1:]],
    ids=['empty', 'within the digest', 'cut', 'a bit of the digest', 'a bit of the content'])
def test_bytes_that_are_not_what_was_written_are_not_given(cache, damage):
    write_cached_bytes('kind', 'name', b'content')
    assert read_cached_bytes('kind', 'name') == b'content'
    path = cache / 'kind' / 'name'
    path.write_bytes(damage(path.read_bytes()))
    assert read_cached_bytes('kind', 'name') is None


def test_a_folder_of_an_earlier_version_that_others_may_read_is_closed(cache):
    (cache / 'kind').mkdir(parents=True)
    for folder in (cache, cache / 'kind'):
        folder.chmod(0o755)
    write_cached('kind', 'name', 'text')
    assert read_cached('kind', 'name') == 'text'
    assert mode(cache) == mode(cache / 'kind') == 0o700


@pytest.mark.parametrize('which', ['', 'kind'])
@pytest.mark.parametrize('bits', [0o777, 0o1777, 0o770])
def test_a_folder_that_others_can_write_to_is_neither_read_nor_written(cache, capsys, which, bits):
    write_cached('kind', 'name', 'planted')
    (cache / which).chmod(bits)
    assert read_cached('kind', 'name') is None
    write_cached('kind', 'name', 'ours')
    assert (cache / 'kind' / 'name').read_text() == 'planted'
    said = capsys.readouterr().err
    assert said.count('\n') == 1 and f'{bits:o}' in said and str(cache / which) in said


def test_a_folder_of_another_user_is_neither_read_nor_written(cache, capsys, monkeypatch):
    write_cached('kind', 'name', 'planted')
    monkeypatch.setattr('os.getuid', lambda: os.geteuid() + 1)
    assert read_cached('kind', 'name') is None
    write_cached('kind', 'name', 'ours')
    assert (cache / 'kind' / 'name').read_text() == 'planted'
    assert 'it belongs to another user' in capsys.readouterr().err


@pytest.mark.parametrize('which', ['kind', 'kind/name'])
def test_a_planted_link_is_not_followed(cache, which):
    elsewhere = cache.parent / 'elsewhere'
    elsewhere.mkdir(parents=True)
    victim = elsewhere / 'name'
    victim.write_text('of somebody')
    (cache / which).parent.mkdir(parents=True, mode=0o700)
    cache.chmod(0o700)
    (cache / which).symlink_to(victim if which == 'kind/name' else elsewhere)
    assert read_cached('kind', 'name') is None
    write_cached('kind', 'name', 'ours')
    assert victim.read_text() == 'of somebody'
    if which == 'kind/name':  # a file takes the place of the link
        assert read_cached('kind', 'name') == 'ours'


@pytest.mark.parametrize(('shared', 'used'), [(False, True), (True, False)])
def test_the_whole_may_be_a_link_of_the_users_own_in_a_folder_of_theirs(cache, shared, used):
    disk = cache.parent.parent / 'large_disk'
    disk.mkdir()
    cache.parent.mkdir()
    cache.parent.chmod(0o1777 if shared else 0o755)
    cache.symlink_to(disk)
    write_cached('kind', 'name', 'text')
    assert (disk / 'kind' / 'name').is_file() == used
