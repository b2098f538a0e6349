import os
import pickle
import shutil
import subprocess
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import write_cifar100, write_python2_pickle, write_python3_pickle

from amlnn.data.images.cifar import CIFAR100Python, read_pickle
from amlnn.data.images.views import ViewDataset
from amlnn.errors import DataError
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.models.utils import ClsDataPreprocessor

PACK = [dict(type='mmpretrain.PackInputs')]


@pytest.fixture(scope='module')
def cifar(tmp_path_factory) -> Path:
    return write_cifar100(tmp_path_factory.mktemp('cifar') / 'cifar-100-python')


@pytest.fixture
def copied(cifar, tmp_path) -> Path:
    return shutil.copytree(cifar, tmp_path / 'copy')


def contents(cifar, name='train') -> dict:
    return {key: value.to_numpy() if hasattr(value, 'to_numpy') else value
            for key, value in read_pickle(cifar / name).items()}


def infos(data) -> list[dict]:
    return [data.get_data_info(index) for index in range(len(data))]


def test_images_labels_and_names_are_those_of_the_file(cifar):
    data, raw = CIFAR100Python(str(cifar)), contents(cifar)
    assert len(data) == 36
    for index, info in enumerate(infos(data)):
        assert info['gt_label'] == raw['fine_labels'][index]
        assert info['id'] == 'train/' + raw['filenames'][index].decode()
        planes = raw['data'][index].reshape(3, 32, 32)  # red, green, blue
        assert np.array_equal(info['img'][:, :, 2], planes[0])
        assert np.array_equal(info['img'][:, :, 1], planes[1])
        assert np.array_equal(info['img'][:, :, 0], planes[2])
        assert info['img'].shape == (32, 32, 3) and info['img'].dtype == np.uint8


def test_a_red_image_is_red_where_the_network_sees_it(copied):
    raw = {**contents(copied), 'data': np.zeros((36, 3072), dtype=np.uint8)}
    raw['data'][:, :1024] = 255
    write_python2_pickle(copied / 'train', raw)
    item = CIFAR100Python(str(copied), pipeline=PACK)[0]
    seen = ClsDataPreprocessor(to_rgb=True)({'inputs': item['inputs'][None],
                                             'data_samples': [item['data_samples']]})['inputs']
    assert torch.equal(seen[0].mean((1, 2)), torch.tensor([255., 0., 0.]))


def test_superclasses_come_from_the_coarse_labels_of_the_file(cifar):
    info = CIFAR100Python(str(cifar), split='val').metainfo
    assert info['classes'] == [f'fine_{n}' for n in range(6)]
    assert info['superclasses'] == ['coarse_0', 'coarse_1', 'coarse_2']
    assert info['superclass_of'] == [0, 1, 2, 0, 1, 2]


def test_coarse_labels_are_those_of_the_superclasses(cifar):
    data, raw = CIFAR100Python(str(cifar), labels='coarse'), contents(cifar)
    assert data.metainfo['classes'] == ['coarse_0', 'coarse_1', 'coarse_2']
    assert data.metainfo['superclass_of'] == [0, 1, 2]
    assert [info['gt_label'] for info in infos(data)] == raw['coarse_labels']
    assert CIFAR100Python.find_classes(str(cifar), labels='coarse') == data.metainfo['classes']


@pytest.mark.parametrize('write', [
    lambda path, value: write_python3_pickle(path, value, 2),
    lambda path, value: write_python3_pickle(path, value, 5),
    lambda path, value: write_python2_pickle(path, {
        **value, **({'data': value['data'].tobytes()} if 'data' in value else {})}),
    lambda path, value: write_python3_pickle(path, {
        **value, **({'data': np.asfortranarray(value['data'])} if 'data' in value else {})}, 2),
    lambda path, value: write_python3_pickle(path, {
        **value, **({'fine_labels': np.array(value['fine_labels'])} if 'data' in value else {})}),
], ids=['Python 3', 'protocol 5', 'plain bytes', 'Fortran order', 'array of labels'])
def test_other_ways_of_writing_the_same_are_read_the_same(tmp_path, cifar, write):
    root = write_cifar100(tmp_path / 'other', write=write)
    expected, found = infos(CIFAR100Python(str(cifar))), infos(CIFAR100Python(str(root)))
    for left, right in zip(expected, found, strict=True):
        assert left['id'] == right['id'] and left['gt_label'] == right['gt_label']
        assert np.array_equal(left['img'], right['img'])


def test_numpy_itself_reads_the_test_files_as_python_3_reads_the_real_ones(cifar):
    with open(cifar / 'train', 'rb') as file:
        raw = pickle.load(file, encoding='latin1')  # as its authors' page says
    assert np.array_equal(raw['data'], contents(cifar)['data'])


def test_a_holdout_makes_three_parts_that_share_no_image(cifar):
    parts = {split: infos(CIFAR100Python(str(cifar), split=split, holdout=2))
             for split in ('train', 'val', 'test')}
    counts = {split: Counter(info['gt_label'] for info in found)
              for split, found in parts.items()}
    assert counts == {'train': dict.fromkeys(range(6), 4), 'val': dict.fromkeys(range(6), 2),
                      'test': dict.fromkeys(range(6), 2)}
    ids = [info['id'] for found in parts.values() for info in found]
    assert len(set(ids)) == 36 + 12
    pixels = {info['id']: info['img'] for info in infos(CIFAR100Python(str(cifar)))}
    for info in parts['val'] + parts['train']:
        assert np.array_equal(pixels[info['id']], info['img'])


def test_coarse_and_fine_labels_hold_out_and_keep_the_same_images(cifar):
    chosen = [[info['id'] for info in infos(CIFAR100Python(
        str(cifar), split='val', holdout=3, subset=6, seed=4, labels=labels))]
        for labels in ('fine', 'coarse')]
    assert chosen[0] == chosen[1] and len(chosen[0]) == 6


def test_a_pipeline_cannot_change_what_the_next_epoch_gets(cifar):
    data = CIFAR100Python(str(cifar))
    before = data.get_data_info(0)['img']
    data.get_data_info(0)['img'][:] = 0
    assert np.array_equal(data.get_data_info(0)['img'], before)


def test_keys_of_views_are_unique_where_file_names_are_not(copied):
    raw = contents(copied)
    raw['filenames'] = [b'same.png'] * 36
    write_python2_pickle(copied / 'train', raw)
    data = ViewDataset(CIFAR100Python(str(copied), pipeline=PACK))
    keys = [data.key(index) for index in range(len(data))]
    assert keys[:2] == ['train/same.png', 'train/same.png#2'] and len(set(keys)) == 36
    assert data[(1, 0)]['data_samples'].id == 'train/same.png#2'


def test_another_file_is_another_content(copied, cifar):
    assert CIFAR100Python.content_hash(str(copied)) == CIFAR100Python.content_hash(str(cifar))
    write_python3_pickle(copied / 'test', contents(copied, 'test'))
    assert CIFAR100Python.content_hash(str(copied)) != CIFAR100Python.content_hash(str(cifar))


class _Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def nothing_runs(monkeypatch):
    def caught(*arguments, **options):
        pytest.fail('something of the pickle was run')
    for place, name in ((os, 'system'), (subprocess, 'Popen'), (np, 'load'), (shutil, 'rmtree')):
        monkeypatch.setattr(place, name, caught)


def _named(module, name):
    return f'c{module}\n{name}\n'.encode()


HOSTILE = {
    'posix.system': b'cposix\nsystem\n(U\x05touch.tR.',
    'os.system': b'cos\nsystem\n(U\x05touchtR.',
    'builtins.eval': pickle.dumps(_Calls(eval, 'open("ran", "w")')),
    '__builtin__.eval': b'c__builtin__\neval\n(U\x02ran.tR.',
    'builtins.getattr': pickle.dumps({'data': _Calls(getattr, _Calls(list), '__class__')}),
    'subprocess.Popen': _named('subprocess', 'Popen') + b'(U\x02idtR.',
    'numpy.load': b'\x80\x02' + _named('numpy', 'load') + b'U\x01x\x85R.',
    'numpy.core.multiarray.scalar': b'\x80\x02' + _named('numpy.core.multiarray', 'scalar') + b'.',
    'numpy.testing._private.utils.runstring':
        _named('numpy.testing._private.utils', 'runstring') + b'(U\x02x=U\x00tR.',
    'shutil.rmtree': b'\x80\x04\x8c\x06shutil\x8c\x06rmtree\x93\x8c\x01.\x85R.',
    'functools.partial': b'\x80\x02' + _named('functools', 'partial') + b'.',
    'numpy.ndarray.tofile': b'\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.',
    'codecs.encode': _named('codecs', 'encode') + b'.',
}


@pytest.mark.parametrize('name', HOSTILE)
@pytest.mark.parametrize('file', ['meta', 'train'])
def test_a_hostile_pickle_runs_nothing_and_is_told_by_name(copied, nothing_runs, name, file):
    (copied / file).write_bytes(HOSTILE[name])
    with pytest.raises(DataError) as error:
        CIFAR100Python(str(copied))
    assert f'{copied / file}` calls for `{name}`' in error.value.message
    assert 'do not trust' in error.value.hint
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize('content', [
    b'\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.',
    b'(i__main__\nAnything\n.', b'Pid\n.', b'\x82\x01.', b'\x80\x02]q\x00.', b'', b'\x00\x01\x02',
    b'\x80\x02cnumpy\nndarray\n}b.',
], ids=['another codec', 'an instance', 'a persistent id', 'an extension', 'a list', 'empty',
        'no pickle', 'state of a stand-in'])
def test_what_is_no_cifar_file_is_an_error(copied, content):
    (copied / 'train').write_bytes(content)
    with pytest.raises(DataError, match='train`') as error:
        CIFAR100Python(str(copied))
    assert '--download cifar100' in error.value.hint


def _said(text):
    return b'X' + len(text.encode()).to_bytes(4, 'little') + text.encode()


_RECONSTRUCT = _named('numpy.core.multiarray', '_reconstruct')
_NDARRAY, _DTYPE = _named('numpy', 'ndarray'), _named('numpy', 'dtype')
_OBJECTS = _DTYPE + _said('O') + b'\x85R'
_MANY = b'\x8a\x05\x00\x00\x00\x00\x01\x85'  # (2**32, )
_EMPTY = _RECONSTRUCT + _NDARRAY + b'K\x00\x85U\x01b\x87R'


def _array_of_objects_at(place):
    """One item of 8 bytes that is said to hold no objects, and one at `place` in it."""
    kind = _DTYPE + _said('V8') + b'K\x00K\x01\x87R(K\x03' + _said('|') + b'N' + _said('a') \
        + b'\x85}' + _said('a') + _OBJECTS + b'J' + place.to_bytes(4, 'little') + b'\x86s' \
        + b'K\x08K\x01K\x00tb'
    return _EMPTY + b'(K\x01K\x01\x85' + kind + b'\x89U\x08AAAAAAAAtb'


# Most end the process, fill the memory or show it, where numpy's own pieces are used.
ABUSED = {
    'memory as it was left': _NDARRAY + b'M\x00\x0c\x85' + _said('u1') + b'\x86R',
    'more objects than memory': _NDARRAY + _MANY + _OBJECTS + b'\x86R',
    'the same as a new object': _NDARRAY + _MANY + _OBJECTS + b'\x86\x81',
    'the same as an instance': b'(' + _MANY + _OBJECTS + b'inumpy\nndarray\n',
    'the same as a buffer': _RECONSTRUCT + _NDARRAY + _MANY + b'U\x01O\x87R',
    'the same as a state': _EMPTY + b'(K\x01' + _MANY + _OBJECTS + b'\x89]tb',
    'a field outside its item': _array_of_objects_at(10**9),
    'pointers made of bytes': _array_of_objects_at(0),
    'a buffer of a number': _named('numpy.core.numeric', '_frombuffer') + b'(' + _MANY[:-1]
    + _DTYPE + _said('u1') + b'\x85RK\x01\x85' + _said('C') + b'tR',
    'a slow codec': _named('_codecs', 'encode') + _said('\u4e00') + _said('punycode') + b'\x86R',
    'attributes of an array': _EMPTY + b'N}' + _said('__class__') + _NDARRAY + b's\x86b',
    'attributes of a class': _NDARRAY + b'N}' + _said('shape') + b'K\x07s\x86b',
}


@pytest.mark.parametrize('name', ABUSED)
def test_the_pieces_of_an_array_cannot_be_turned_against_their_reader(copied, name):
    raw = contents(copied)
    head = pickle.dumps({key: raw[key] for key in ('fine_labels', 'coarse_labels', 'filenames')}, 2)
    (copied / 'train').write_bytes(head[:-1] + b'U\x04data' + ABUSED[name] + b's.')
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match='train`'):
            CIFAR100Python(str(copied))
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize('state', [
    b'}' + _said('poison') + b'K\x07s', b'N}' + _said('__defaults__') + b'K\x07\x85s\x86'])
def test_a_pickle_leaves_nothing_behind_in_what_reads_the_next(tmp_path, cifar, state):
    (tmp_path / 'bad').write_bytes(b'\x80\x02}U\x01a' + _RECONSTRUCT + state + b'bs.')
    given = read_pickle(tmp_path / 'bad')['a']
    assert vars(given) == {'poison': 7} or given.__defaults__ == (7, )
    (tmp_path / 'next').write_bytes(b'\x80\x02}U\x01a' + _RECONSTRUCT + b's.')
    given = read_pickle(tmp_path / 'next')['a']
    assert not vars(given) and not given.__defaults__
    assert len(CIFAR100Python(str(cifar))) == 36


@pytest.mark.parametrize('kept', [1, 100, 2000, -1])
def test_a_file_that_was_cut_short_is_an_error(copied, kept):
    (copied / 'train').write_bytes((copied / 'train').read_bytes()[:kept])
    with pytest.raises(DataError, match='train` cannot be read as a pickle'):
        CIFAR100Python(str(copied))


def _without(key):
    return lambda raw: raw.pop(key)


def _with(**values):
    return lambda raw: raw.update({
        key: value(raw[key]) if callable(value) else value for key, value in values.items()})


@pytest.mark.parametrize(('change', 'message'), [
    (_without('data'), 'has no `data`, only batch_label, coarse_labels'),
    (_without('fine_labels'), 'has no `fine_labels`'),
    (_without('coarse_labels'), 'has no `coarse_labels`'),
    (_without('filenames'), 'has no `filenames`'),
    (_with(data=lambda data: data[:, :1024].copy()), r'not uint8 \[N, 3072\]: uint8 \[36, 1024\]'),
    (_with(data=lambda data: data.astype('<i8')), r'not uint8 \[N, 3072\]: int64'),
    (_with(data=lambda data: data.astype('<f8')), r"an array of type 'f8'"),
    (_with(data=b'12345'), r'not uint8 \[N, 3072\]'),
    (_with(data=7), r'not uint8 \[N, 3072\]'),
    (_with(data=lambda data: data[:0]), 'holds no image'),
    (_with(fine_labels=lambda labels: labels[1:]), '36 images and 35 `fine_labels`'),
    (_with(coarse_labels=lambda labels: [*labels, 0]), '36 images and 37 `coarse_labels`'),
    (_with(fine_labels=lambda labels: [6, *labels[1:]]), '`fine_labels` has 6.*6 classes'),
    (_with(fine_labels=lambda labels: [-1, *labels[1:]]), '`fine_labels` has -1'),
    (_with(coarse_labels=lambda labels: [3, *labels[1:]]), '`coarse_labels` has 3.*3 classes'),
    (_with(fine_labels=lambda labels: ['a', *labels[1:]]), "`fine_labels` has b'a'"),
    (_with(fine_labels=3), '`fine_labels` is not a list of numbers'),
    (_with(filenames=lambda names: names[1:]), '36 images and 35 `filenames`'),
    (_with(filenames=lambda names: [1, *names[1:]]), '`filenames` is not a list of names'),
    (_with(coarse_labels=lambda labels: [(labels[0] + 1) % 3, *labels[1:]]),
     'puts `fine_.` into `coarse_.` and into `coarse_.`'),
    (_with(fine_labels=lambda labels: [label % 3 for label in labels]),
     'has no image of class `fine_3`'),
])
def test_what_does_not_fit_together_is_an_error_that_says_what(copied, change, message):
    raw = contents(copied)
    change(raw)
    write_python2_pickle(copied / 'train', raw)
    with pytest.raises(DataError, match=message) as error:
        CIFAR100Python(str(copied))
    assert error.value.hint and str(copied / 'train') in error.value.message


@pytest.mark.parametrize('names', [3, [], ['a', 'a'], [1, 2]])
def test_names_that_are_none_are_an_error(copied, names):
    write_python2_pickle(copied / 'meta', {'fine_label_names': names,
                                           'coarse_label_names': ['b']})
    with pytest.raises(DataError, match='meta`: `fine_label_names`'):
        CIFAR100Python(str(copied))


@pytest.mark.parametrize(('arguments', 'message'), [
    (dict(data_root='nowhere'), 'no data set at `nowhere`'),
    (dict(split='test'), 'no labelled test part'),
    (dict(labels='own'), '`own` are no labels of CIFAR100Python'),
    (dict(holdout=6), 'holdout=6 leaves nothing.*`fine_0`, which has 6'),
    (dict(subset=10), 'subset=10 cannot be shared equally by 6 classes'),
])
def test_a_wrong_argument_is_an_error_with_a_hint(cifar, arguments, message):
    with pytest.raises(DataError, match=message) as error:
        CIFAR100Python(**{'data_root': str(cifar), **arguments})
    assert error.value.hint


@pytest.mark.parametrize('name', ['meta', 'train', 'test'])
def test_a_missing_file_is_an_error_with_the_command_that_downloads_it(copied, name):
    (copied / name).unlink()
    with pytest.raises(DataError, match=f'{name}` is not there') as error:
        CIFAR100Python(str(copied), split='val' if name == 'test' else 'train')
    assert '--download cifar100' in error.value.hint
