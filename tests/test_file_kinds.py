"""Files that are no checkpoints and no weights are named, in two lines, and none of them runs."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from amlnn.engine.run.checkpoint import read_checkpoint
from amlnn.errors import CheckpointError, WeightsError
from amlnn.file_kinds import check_checkpoint_kind
from amlnn.models.images.weights_file import read_file

STATE = {'layer.weight': torch.arange(6.).reshape(2, 3), 'layer.bias': torch.zeros(2)}


def bytes_of(write) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def picture(kind: str) -> bytes:
    return bytes_of(lambda stream: Image.new('RGB', (4, 4)).save(stream, kind))


def zip_of(names: list[str]) -> bytes:
    def write(stream):
        with zipfile.ZipFile(stream, 'w') as archive:
            for name in names:
                archive.writestr(name, 'text')
    return bytes_of(write)


WHOLE = bytes_of(lambda stream: torch.save({'state_dict': STATE}, stream))
OLD = bytes_of(lambda stream: torch.save(
    {'state_dict': STATE}, stream, _use_new_zipfile_serialization=False))
OTHERS = {
    'a web page': (b'<!DOCTYPE html><html><title>404</title></html>', 'a web page (HTML)'),
    'a web page behind spaces': (b'\n\n  <HTML><body>Sign in</body></HTML>', 'a web page (HTML)'),
    'zeros': (bytes(5000), 'zeros'),
    'nothing': (b'', 'it is empty'),
    'PNG': (picture('PNG'), 'a picture (PNG)'),
    'JPEG': (picture('JPEG'), 'a picture (JPEG)'),
    'GIF': (picture('GIF'), 'a picture (GIF)'),
    'TIFF': (picture('TIFF'), 'a picture (TIFF)'),
    'BMP': (picture('BMP'), 'a picture'),
    'WEBP': (picture('WEBP'), 'a picture'),
    'LFS': (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n', 'Git LFS'),
    'zip': (zip_of(['photos/a.jpg', 'photos/b.jpg']), 'a zip archive of photos/a.jpg'),
    'zip of a line break': (zip_of(['a\nerror: b.jpg']), 'a zip archive of a error: b.jpg'),
    'half': (WHOLE[:len(WHOLE) // 2], 'its end is missing'),
    'a text': (b'epoch 1, accuracy 0.9\nepoch 2, accuracy 0.91\n', 'a text that begins with'),
    'JSON': (b'{"message": "not found"}', 'a JSON text'),
    'a pickle': (pickle.dumps({'a': 1}), 'a Python pickle that torch.save did not write'),
    'noise': (bytes(range(200, 256)) * 9, 'no file of PyTorch weights'),
}


@pytest.mark.parametrize('name', OTHERS)
@pytest.mark.parametrize(('read', 'error'), [(read_file, WeightsError),
                                             (read_checkpoint, CheckpointError)])
def test_what_is_no_file_of_torch_is_named(name, read, error, tmp_path):
    content, expected = OTHERS[name]
    path = tmp_path / 'best.pth'
    path.write_bytes(content)
    with pytest.raises(error) as found:
        read(path)
    assert expected in found.value.message and str(path) in found.value.message
    assert found.value.hint and '\n' not in found.value.message + found.value.hint


@pytest.mark.parametrize('content', [WHOLE, OLD], ids=['zip', 'legacy'])
@pytest.mark.parametrize('ending', ['.pth', '.safetensors', '.html', ''])
def test_a_file_of_torch_is_read_whatever_its_name_ends_in(content, ending, tmp_path):
    path = tmp_path / f'w{ending}'
    path.write_bytes(content)
    assert torch.equal(read_file(path).tensors['layer.weight'], STATE['layer.weight'])
    if ending != '.safetensors':  # torch would go by the name
        assert torch.equal(read_checkpoint(path)['state_dict']['layer.weight'],
                           STATE['layer.weight'])


@pytest.mark.parametrize('kind', ['safetensors', 'numpy'])
def test_tensors_of_another_library_are_weights_and_no_checkpoint(kind, tmp_path):
    path = tmp_path / 'best.pth'
    if kind == 'numpy':
        with open(path, 'wb') as file:
            np.savez(file, **{name: value.numpy() for name, value in STATE.items()})
    else:
        save_file(STATE, path)
    assert torch.equal(read_file(path).tensors['layer.weight'], STATE['layer.weight'])
    with pytest.raises(CheckpointError, match=f'a file of {kind}') as found:
        check_checkpoint_kind(path)
    assert '--pretrained' in found.value.hint


def test_a_safetensors_file_that_is_cut_is_damaged(tmp_path):
    save_file(STATE, tmp_path / 'w.safetensors')
    path = tmp_path / 'w.pth'
    path.write_bytes((tmp_path / 'w.safetensors').read_bytes()[:-9])
    with pytest.raises(WeightsError, match='damaged'):
        read_file(path)


class _Touches:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.open, (str(self.path), os.O_CREAT | os.O_WRONLY)


@pytest.mark.parametrize('old', [False, True])
@pytest.mark.parametrize('wrap', [
    lambda evil: evil, lambda evil: {'state_dict': STATE, 'meta': evil},
    lambda evil: {'state_dict': {**STATE, 'more': evil}}])
@pytest.mark.parametrize('forced', ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', None])
def test_a_pickle_that_would_run_code_does_not(old, wrap, forced, tmp_path, monkeypatch):
    if forced:
        monkeypatch.setenv(forced, '1')
    touched, path = tmp_path / 'touched', tmp_path / 'w.pth'
    torch.save(wrap(_Touches(touched)), path, _use_new_zipfile_serialization=not old)
    for read, error in ((read_file, WeightsError), (read_checkpoint, CheckpointError)):
        with pytest.raises(error, match='Python objects beside tensors'):
            read(path)
    assert not touched.exists()
    with open(path, 'rb') as file:  # the file is what the test says it is
        torch.load(file, weights_only=False)
    assert touched.exists()
