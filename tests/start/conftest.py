"""Lets the tests here make raw folders as those of data do."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / 'data'))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Folders of the caches of this test alone."""
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'user'))
