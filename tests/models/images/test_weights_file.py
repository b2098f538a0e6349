"""Files of weights as others wrap them, and files that are none."""

import argparse
import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18

from amlnn.errors import WeightsError
from amlnn.models.images.weights_file import (
    CONTAINERS,
    best_prefix,
    read_file,
    read_tensors,
    unwrapped,
)
from amlnn.models.images.weights_place import find_weights


def small() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


STATE = small().state_dict()
PREFIXES = ['', 'module.', '_orig_mod.', '_orig_mod.module.', 'module._orig_mod.', 'model.',
            'backbone.', 'encoder.', 'net.', 'student.', 'teacher.', 'model.net._orig_mod.',
            'module.model.backbone.', 'my_own.name_of.it.']


def same(tensors, expected=STATE) -> bool:
    return tensors.keys() == expected.keys() and all(
        torch.equal(value, expected[name]) for name, value in tensors.items())


def saved(content, path: Path) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize('prefix', PREFIXES)
def test_a_prefix_of_all_names_is_found_whatever_words_it_has(prefix, tmp_path):
    path = saved({prefix + name: value for name, value in STATE.items()}, tmp_path / 'w.pth')
    tensors = read_file(path).tensors
    found, apart = best_prefix(tensors, lambda given: len(given.keys() & STATE.keys()))
    assert found == prefix.replace('_orig_mod.', '') and apart == []


def test_names_of_torch_compile_in_the_middle_are_taken_off_too(tmp_path):
    path = saved({f'0._orig_mod.{name}': value for name, value in STATE.items()}, tmp_path / 'w')
    assert set(read_file(path).tensors) == {f'0.{name}' for name in STATE}


@pytest.mark.parametrize('prefix', ['', 'module.', 'model.', 'model._orig_mod.'])
def test_a_head_beside_a_backbone_keeps_its_own_name(prefix):
    tensors = {f'{prefix}backbone.{name}': value for name, value in STATE.items()}
    tensors |= {f'{prefix}head.fc.weight': torch.ones(2, 2), f'{prefix}head.fc.bias': torch.ones(2)}
    clean = {name.replace('_orig_mod.', ''): value for name, value in tensors.items()}
    assert unwrapped(clean).keys() == STATE.keys() | {'head.fc.weight', 'head.fc.bias'}


def test_a_teacher_is_preferred_to_its_student_and_the_other_is_named():
    tensors = {f'{who}.{name}': value for who in ('student', 'teacher')
               for name, value in STATE.items()}
    assert best_prefix(tensors, lambda given: len(given.keys() & STATE.keys())) == (
        'teacher.', ['student.'])


@pytest.mark.parametrize('container', CONTAINERS)
def test_every_known_container_is_looked_into_and_said_unless_it_is_the_usual_one(
        container, tmp_path):
    path = saved({'epoch': 3, container: STATE, 'optimizer': {'state': {0: {'step': STATE}}}},
                 tmp_path / 'w.pth')
    file = read_file(path)
    assert same(file.tensors)
    usual = container in ('state_dict', 'model', 'model_state_dict', 'model_state', 'checkpoint')
    assert file.notes == ([] if usual else [f"took ['{container}'] of the file"])


def test_a_container_of_another_name_or_inside_another_is_looked_into(tmp_path):
    assert same(read_tensors(saved({'mine': STATE, 'optimizer': STATE}, tmp_path / 'a')))
    file = read_file(saved({'ema': {'module': STATE}, 'epoch': torch.tensor(1)}, tmp_path / 'b'))
    assert same(file.tensors) and file.notes == ["took ['ema']['module'] of the file"]


@pytest.mark.parametrize(('first', 'second'), [
    ('state_dict', 'state_dict_ema'), ('model', 'model_ema'), ('state_dict', 'ema_state_dict'),
    ('teacher', 'student')])
def test_of_two_containers_the_first_in_the_documented_order_is_taken_and_both_are_named(
        first, second, tmp_path):
    assert CONTAINERS.index(first) < CONTAINERS.index(second)
    path = saved({second: small().double().state_dict() | {'0.bias': torch.zeros(4)},
                  first: STATE}, tmp_path / 'w.pth')
    file = read_file(path)
    assert same(file.tensors)
    assert file.notes == [f"took ['{first}'] of the file, which has `{second}` too"]


def test_arrays_of_numpy_and_what_trainings_keep_beside_weights_are_read(tmp_path):
    from mmengine.logging.history_buffer import HistoryBuffer
    arrays = {name: value.numpy() for name, value in STATE.items()}
    path = saved({'model': arrays, 'args': argparse.Namespace(lr=np.float64(0.1)), 'at': tmp_path,
                  'message_hub': {'loss': HistoryBuffer([1.0, 2.0], [1, 1])}}, tmp_path / 'w.pth')
    assert same(read_tensors(path))
    np.savez(tmp_path / 'w.npz', **arrays)
    assert same(read_tensors(tmp_path / 'w.npz'))


@pytest.mark.parametrize('name', ['w.safetensors', 'w.pth'])
def test_safetensors_are_known_by_their_content(name, tmp_path):
    save_file(STATE, tmp_path / name)
    assert same(read_tensors(tmp_path / name))


def test_files_of_the_time_before_zip_are_read(tmp_path):
    torch.save(STATE, tmp_path / 'w.pth', _use_new_zipfile_serialization=False)
    assert same(read_tensors(tmp_path / 'w.pth'))


class Other:
    """A class that is no tensor."""


def zipped(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        for name, text in members.items():
            archive.writestr(name.replace('__', '.'), text)
    return stream.getvalue()


def torch_saved(content, **options) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def scripted() -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch advises against writing more of them
        torch.jit.save(torch.jit.trace(small().eval(), torch.zeros(1, 3, 3, 3)), stream)
    return stream.getvalue()


OLD = dict(_use_new_zipfile_serialization=False)
NO_WEIGHTS = {
    'empty': (lambda: b'', 'it is empty', 'again'),
    'cut off': (lambda: torch_saved(STATE)[:-200], 'its end is missing', 'again'),
    'cut off, old': (lambda: torch_saved(STATE, **OLD)[:-200], 'damaged', 'again'),
    'pointer': (lambda: b'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n',
                'a pointer of Git LFS', 'git lfs pull'),
    'page': (lambda: b'\n<!DOCTYPE html><html><body>404</body></html>', 'a web page', 'address'),
    'text': (lambda: b'not weights', 'a text that begins with `not weights`', 'torch.save'),
    'json': (lambda: json.dumps({'weight_map': {}}).encode(), 'a JSON text', 'torch.save'),
    'hdf5': (lambda: b'\x89HDF\r\n\x1a\n' + bytes(100), 'an HDF5 file', 'timm://'),
    'onnx': (lambda: b'\x08\x07\x12\x07pytorch\x1a\x052.9.0:\x80', 'an ONNX model', 'state_dict()'),
    'zip': (lambda: zipped(a__txt='1', b__txt='2'), 'a zip archive of a.txt, b.txt', 'unpack'),
    'keras': (lambda: zipped(config__json='{}', model__weights__h5='x'), 'a model of Keras',
              'timm://'),
    'gzip': (lambda: b'\x1f\x8b' + bytes(50), 'a gzip archive', 'unpack'),
    'picture': (lambda: b'\x89PNG\r\n\x1a\n' + bytes(50), 'a picture', '.pth'),
    'whole': (lambda: torch_saved(resnet18()),
              'a whole pickled model (`torchvision.models.resnet.ResNet`)',
              "weights_only=False).state_dict(), 'weights.pth')"),
    'whole, old': (lambda: torch_saved(small(), **OLD), 'a whole pickled model', 'state_dict()'),
    'whole in a container': (lambda: torch_saved({'epoch': 1, 'model': small()}),
                             'a whole pickled model', "['model'].state_dict()"),
    'script': (scripted, 'a TorchScript archive', 'torch.jit.load'),
    'objects': (lambda: torch_saved({'state_dict': STATE, 'hyper_parameters': Other()}),
                'Python objects beside tensors (`test_weights_file.Other`)', "['state_dict']"),
    'pickle': (lambda: pickle.dumps(STATE), 'a Python pickle', 'pickle.load'),
    'code': (lambda: b'\x80\x02cos\nsystem\n.', 'a Python pickle', 'if you trust it'),
    'list': (lambda: torch_saved(list(STATE.values())), 'a list of', 'state_dict()'),
    'tensor': (lambda: torch_saved(torch.zeros(3)), 'a Tensor without names', 'state_dict()'),
    'no tensors': (lambda: torch_saved({'epoch': 3, 'optimizer': {'state': {}}}),
                   'only `epoch`, `optimizer`', 'state_dict()'),
    'noise': (lambda: bytes(range(200, 256)), 'begins with the bytes c8', 'torch.save'),
}


@pytest.mark.parametrize('kind', NO_WEIGHTS)
def test_a_file_that_is_no_weights_is_named_as_what_it_is(kind, tmp_path):
    content, what, hint = NO_WEIGHTS[kind]
    path = tmp_path / 'w.pth'
    path.write_bytes(content())
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    assert what in caught.value.message and str(path) in caught.value.message
    assert hint in caught.value.hint


def test_the_line_that_a_hint_gives_saves_the_weights_of_a_whole_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = resnet18()
    torch.save(network, 'whole.pth')
    with pytest.raises(WeightsError) as caught:
        read_tensors(Path('whole.pth'))
    exec(caught.value.hint.partition('-c "')[2].rstrip('"'))
    assert same(read_tensors(Path('weights.pth')), network.state_dict())


def test_a_run_folder_stands_for_its_best_weights(tmp_path):
    run = tmp_path / 'run'
    run.mkdir()
    saved(STATE, run / 'best.pth')
    assert find_weights(str(run)) == run / 'best.pth'


@pytest.mark.parametrize(('made', 'given', 'hint'), [
    ('a/latest/best.pth', 'a', 'a/latest/best.pth'),
    ('a/checkpoints/epoch_0003.pth', 'a', 'a/checkpoints/epoch_0003.pth'),
    ('a/model.safetensors', 'a', 'a/model.safetensors'), ('a/notes.txt', 'a', 'best.pth'),
    ('a/resnet.pth', 'a/resnte.pth', 'a/resnet.pth'), ('run_2/best.pth', 'run_1', 'run_2')])
def test_a_folder_or_a_path_without_weights_is_an_error_that_names_what_is_near(
        made, given, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(made).parent.mkdir(parents=True)
    Path(made).touch()
    with pytest.raises(WeightsError, match=given) as caught:
        find_weights(given)
    assert hint in caught.value.hint
