"""Checkpoints read without PyTorch are what PyTorch reads, or are left to it."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from amlnn.engine.plain_checkpoint import read_plain
from amlnn.sealed import seal

CONTENT = {
    'meta': {'epoch': 3, 'names': ['a', 'b'], 'share': 0.1, 'nothing': None, 'pair': (1, 2)},
    'state_dict': {
        'double': torch.arange(6, dtype=torch.float64).reshape(2, 3),
        'turned': torch.arange(6.0).reshape(2, 3).t(),
        'part': torch.arange(10)[3:7], 'every_other': torch.arange(10, dtype=torch.int32)[::2],
        'single': torch.tensor(2.5), 'empty': torch.zeros(0, 4),
        'flag': torch.tensor([True, False]),
        'half': torch.tensor([1.5, -2.0], dtype=torch.float16)}}


def written(path, content, sealed=True):
    torch.save(content, path)
    if sealed:
        seal(path)
    return path


def test_values_and_tensors_are_those_that_torch_reads(tmp_path):
    path = written(tmp_path / 'a.pth', CONTENT)
    own, theirs = read_plain(path), torch.load(path, weights_only=True)
    assert own['meta'] == theirs['meta'] == CONTENT['meta']
    assert own['state_dict'].keys() == theirs['state_dict'].keys()
    for name, tensor in theirs['state_dict'].items():
        found = own['state_dict'][name]
        assert found.dtype == tensor.numpy().dtype
        assert np.array_equal(found, tensor.numpy()), name
    own['state_dict']['part'][0] = 9  # an array of its own, that can be written to


def test_tensors_that_share_a_storage_are_read_each(tmp_path):
    base = torch.arange(12.0)
    path = written(tmp_path / 'a.pth', {'a': base[:6].reshape(2, 3), 'b': base[6:]})
    own = read_plain(path)
    assert own['a'].tolist() == [[0, 1, 2], [3, 4, 5]] and own['b'].tolist() == list(range(6, 12))


class Runs:
    """A pickle that runs something."""

    def __init__(self, word):
        self.word = word

    def __reduce__(self):
        return exec, (f"open({self.word!r}, 'w')",)


@pytest.mark.parametrize('content', [
    'runs', {'b': torch.zeros(2, dtype=torch.bfloat16)}, {'c': torch.zeros(2) * 1j},
    {'p': torch.nn.Parameter(torch.zeros(2))}, [1, 2]])
def test_what_is_more_than_plain_values_is_left_to_torch(content, tmp_path):
    ran = tmp_path / 'ran'
    content = {'x': Runs(str(ran))} if content == 'runs' else content
    assert read_plain(written(tmp_path / 'a.pth', content)) is None
    assert not ran.exists()


def test_files_that_are_damaged_unsealed_or_no_checkpoints_are_left_to_torch(tmp_path):
    path = written(tmp_path / 'a.pth', CONTENT)
    assert read_plain(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert read_plain(path) is None
    assert read_plain(written(tmp_path / 'b.pth', CONTENT, sealed=False)) is None
    assert read_plain(tmp_path / 'missing.pth') is None
    assert read_plain(tmp_path) is None
    (tmp_path / 'c.pth').write_bytes(pickle.dumps(CONTENT['meta']))
    assert read_plain(tmp_path / 'c.pth') is None
    (tmp_path / 'd.pth').write_bytes(b'')
    assert read_plain(tmp_path / 'd.pth') is None


def test_a_tensor_that_lies_outside_its_storage_is_not_read(tmp_path):
    from amlnn.engine.plain_checkpoint import _tensor
    storage = np.arange(4.0)
    assert _tensor(storage, 1, (3,), (1,)).tolist() == [1, 2, 3]
    for offset, shape, stride in ((1, (4,), (1,)), (0, (2, 2), (3, 1)), (-1, (2,), (1,)),
                                  (3, (2,), (-1,))):
        with pytest.raises(ValueError, match='not in its storage'):
            _tensor(storage, offset, shape, stride)


def test_reading_does_not_import_torch(tmp_path):
    path = written(tmp_path / 'a.pth', CONTENT)
    code = ('import sys; from pathlib import Path; '
            'from amlnn.engine.plain_checkpoint import read_plain; '
            f'assert read_plain(Path({str(path)!r})); print("torch" in sys.modules)')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'False'
