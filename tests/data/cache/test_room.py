"""Room for features is memory, or a file that nobody sees, beside the caches."""

import numpy as np
import pytest

from amlnn.data.cache.room import room


def test_what_is_held_is_an_array_and_what_is_not_lies_in_a_file_without_a_name(
        tmp_path, monkeypatch):
    root = tmp_path / 'cache'
    root.mkdir()
    monkeypatch.setenv('AMLNN_CACHE', str(root))
    held, mapped = room(7, 3, held=True), room(7, 3, held=False)
    assert not isinstance(held, np.memmap) and isinstance(mapped, np.memmap)
    for each in (held, mapped):
        assert each.shape == (7, 3) and each.dtype == np.float32
        each[:] = np.arange(21).reshape(7, 3)
        assert each[6, 2] == 20
    assert list(root.iterdir()) == []


@pytest.mark.parametrize('place', ['nowhere', 'file'])
def test_without_a_folder_of_caches_it_lies_where_temporary_files_do(tmp_path, monkeypatch, place):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / place))
    assert room(2, 2, held=False).shape == (2, 2)
