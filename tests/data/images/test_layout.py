import os

import pytest
from generated import write_cifar100, write_tiny_imagenet

from amlnn.data.cache.content import hash_of_files
from amlnn.data.images.cifar import CIFAR100Python
from amlnn.data.images.folder import ImageNetFolder
from amlnn.data.images.layout import Layout, data_hash, layout_of
from amlnn.data.images.tiny_imagenet import TinyImageNet
from amlnn.errors import DataError


@pytest.mark.parametrize('kind', [ImageNetFolder, TinyImageNet, CIFAR100Python])
def test_the_layout_of_a_config_s_data_set_is_that_of_its_type(kind):
    assert layout_of(dict(type=kind.__name__)) is kind


@pytest.mark.parametrize('name', ['mmpretrain.CustomDataset', 'mmpretrain.ImageNet', 'NoSuch',
                                  None])
def test_any_other_data_set_is_taken_for_a_prepared_folder(name, data_set):
    assert layout_of(dict(type=name)) is Layout
    assert Layout.find_classes(str(data_set))[2] == 'rose'
    assert Layout.find_classes('nowhere') is None and Layout.find_parts('nowhere') is None


def test_a_missing_data_set_has_no_classes_and_its_own_way_to_come_by(tmp_path):
    root = str(tmp_path / 'none')
    assert TinyImageNet.find_classes(root) is None and CIFAR100Python.find_classes(root) is None
    assert '--download tiny-imagenet' in TinyImageNet.how_to_get(root)
    assert '--download cifar100' in CIFAR100Python.how_to_get(root)
    assert f'<folder of class folders> {root}' in ImageNetFolder.how_to_get(root)


@pytest.fixture(scope='module')
def section(tmp_path_factory):
    root = write_tiny_imagenet(tmp_path_factory.mktemp('tiny') / 'tiny')
    return dict(type='TinyImageNet', data_root=str(root))


def test_all_of_a_data_set_is_named_by_its_content_alone(section):
    content = TinyImageNet.content_hash(section['data_root'])
    for same in ({}, dict(seed=3), dict(holdout=0), dict(subset=None, split='val'),
                 dict(pipeline=[1])):
        assert data_hash({**section, **same}) == content


def test_another_choice_of_images_or_labels_is_other_data(section):
    choices = [{}, dict(holdout=1), dict(holdout=2), dict(holdout=2, seed=1), dict(subset=10),
               dict(subset=10, holdout=1), dict(labels='imagenet-1k')]
    found = [data_hash({**section, **choice}) for choice in choices]
    assert len(set(found)) == len(choices)
    assert data_hash({**section, 'holdout': 1, 'seed': 0}) == found[1]


def test_the_default_labels_written_out_are_the_same_data(section):
    assert data_hash({**section, 'labels': 'own'}) == data_hash(section)


def test_what_nothing_names_has_no_hash(data_set):
    assert data_hash(dict(type='ImageNetFolder', data_root=str(data_set), subset=5)) is None
    assert data_hash(dict(type='ImageNetFolder')) is None


@pytest.fixture
def many_files(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    for number in range(40):
        (tmp_path / f'{number}.bin').write_bytes(bytes([number]) * 10)
    return tmp_path, [f'{number}.bin' for number in range(40)]


def test_the_hash_of_many_files_is_kept_and_read_again_only_after_a_change(many_files, monkeypatch):
    root, names = many_files
    before = hash_of_files(root, names)
    assert hash_of_files(root, reversed(names)) == before
    assert len(list((root / 'cache/amlnn/contents').iterdir())) == 1
    monkeypatch.setattr('amlnn.data.cache.content._hash', lambda *_: pytest.fail('read again'))
    assert hash_of_files(root, names) == before
    monkeypatch.undo()
    monkeypatch.setenv('XDG_CACHE_HOME', str(root / 'cache'))
    os.utime(root / '3.bin', (1, 1))
    assert hash_of_files(root, names) == before
    (root / '3.bin').write_bytes(b'another')
    assert hash_of_files(root, names) != before


def test_a_damaged_note_of_the_hash_is_read_over(many_files):
    root, names = many_files
    before = hash_of_files(root, names)
    for note in (root / 'cache/amlnn/contents').iterdir():
        note.write_bytes(b'\xff')
    assert hash_of_files(root, names) == before


def test_names_count_as_contents_do(many_files):
    root, names = many_files
    before = hash_of_files(root, names[:2])
    (root / '1.bin').rename(root / 'other.bin')
    assert hash_of_files(root, ['0.bin', 'other.bin']) != before


def test_a_file_that_is_gone_is_an_error_that_names_it(many_files):
    root, names = many_files
    (root / '7.bin').unlink()
    with pytest.raises(DataError, match=r'7\.bin. cannot be read'):
        hash_of_files(root, names)


def test_cifar_is_named_by_its_three_files(tmp_path):
    root = write_cifar100(tmp_path / 'cifar')
    section = dict(type='CIFAR100Python', data_root=str(root))
    before = data_hash(section)
    assert data_hash({**section, 'labels': 'coarse'}) != before
    (root / 'file.txt~').write_text('of no interest')
    assert data_hash(section) == before
