import pytest

from amlnn.user_cache import cache_folder


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
