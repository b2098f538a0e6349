import pytest


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Folder of the caches of this test alone."""
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture
def no_rehearsal(monkeypatch):
    """Nothing is tried before the first epoch, for a test that counts what a run computes."""
    monkeypatch.setattr('amlnn.engine.images.task.ImageTask.try_out', lambda *given: None)
    monkeypatch.setattr('amlnn.engine.train.rehearse', lambda *given: None)
