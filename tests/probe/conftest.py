import pytest


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Folder of the caches of this test alone."""
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'
