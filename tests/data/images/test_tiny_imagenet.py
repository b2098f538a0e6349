import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from generated import WNIDS, write_tiny_imagenet
from PIL import Image

from amlnn.data.images.tiny_imagenet import TinyImageNet
from amlnn.errors import DataError

LOADED = [dict(type='mmpretrain.LoadImageFromFile')]


@pytest.fixture(scope='module')
def tiny(tmp_path_factory) -> Path:
    return write_tiny_imagenet(tmp_path_factory.mktemp('tiny') / 'tiny-imagenet-200')


@pytest.fixture
def copied(tiny, tmp_path) -> Path:
    return shutil.copytree(tiny, tmp_path / 'copy')


def images(data) -> list[tuple[str, int]]:
    return [(data.get_data_info(index)['img_path'], data.get_data_info(index)['gt_label'])
            for index in range(len(data))]


def test_classes_are_numbered_in_the_order_of_their_wordnet_numbers(tiny):
    data = TinyImageNet(str(tiny))
    assert data.metainfo == {'classes': [
        'n01443537 goldfish', 'n01629819 European fire salamander', 'n02056570 king penguin',
        'n03444034 go-kart', 'n04070727 refrigerator']}
    assert TinyImageNet.find_classes(str(tiny)) == data.metainfo['classes']


def test_training_labels_are_those_of_the_folders(tiny):
    found = images(TinyImageNet(str(tiny)))
    assert len(found) == 5 * 6
    assert all(Path(path).parent.parent.name == WNIDS[label] for path, label in found)


def test_validation_labels_are_those_of_the_annotations(tiny):
    found = dict(images(TinyImageNet(str(tiny), split='val')))
    lines = (tiny / 'val/val_annotations.txt').read_text().splitlines()
    assert len(found) == len(lines) == 10
    for line in lines:
        name, wnid, *_ = line.split('\t')
        assert WNIDS[found[f'{tiny}/val/images/{name}']] == wnid


def test_a_class_folder_among_the_validation_images_does_not_change_a_label(copied, tiny):
    (copied / 'val/images' / WNIDS[0]).mkdir()
    expected = [label for _, label in images(TinyImageNet(str(tiny), split='val'))]
    assert [label for _, label in images(TinyImageNet(str(copied), split='val'))] == expected


def test_a_holdout_makes_three_parts_that_share_no_image(tiny):
    parts = {split: images(TinyImageNet(str(tiny), split=split, holdout=2))
             for split in ('train', 'val', 'test')}
    assert Counter(label for _, label in parts['train']) == dict.fromkeys(range(5), 4)
    assert Counter(label for _, label in parts['val']) == dict.fromkeys(range(5), 2)
    assert parts['test'] == images(TinyImageNet(str(tiny), split='val'))
    assert sorted(parts['train'] + parts['val']) == sorted(images(TinyImageNet(str(tiny))))


def test_another_seed_holds_out_other_images(tiny):
    first, second = (images(TinyImageNet(str(tiny), split='val', holdout=2, seed=seed))
                     for seed in (0, 1))
    assert first != second


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_a_subset_takes_as_many_images_of_each_class(tiny, split):
    data = TinyImageNet(str(tiny), split=split, holdout=2, subset=5)
    assert sorted(label for _, label in images(data)) == [0, 1, 2, 3, 4]


def test_the_choice_does_not_depend_on_where_the_data_set_lies(tiny, copied):
    def chosen(root):
        return [(str(Path(path).relative_to(root)), label) for path, label in
                images(TinyImageNet(str(root), holdout=1, subset=10))]
    assert chosen(tiny) == chosen(copied)


def test_without_a_holdout_there_is_no_test_part_and_the_error_says_so(tiny):
    with pytest.raises(DataError, match=r'no labelled test part.*images are `val`') as error:
        TinyImageNet(str(tiny), split='test')
    assert 'holdout=50' in error.value.hint
    assert TinyImageNet.find_parts(str(tiny)) == ('train', 'val')
    assert TinyImageNet.find_parts(str(tiny), holdout=1) == ('train', 'val', 'test')


def test_imagenet_labels_are_the_numbers_of_the_thousand_classes(tiny):
    data = TinyImageNet(str(tiny), split='val', labels='imagenet-1k')
    own = TinyImageNet(str(tiny), split='val')
    # Places in the list that Keras, torchvision and timm share.
    number = dict(zip(WNIDS, (1, 25, 145, 573, 760), strict=True))
    assert data.metainfo['present'] == [1, 25, 145, 573, 760]
    assert len(data.metainfo['classes']) == 1000
    assert data.metainfo['classes'][573] == 'n03444034 go-kart'
    assert [label for _, label in images(data)] \
        == [number[WNIDS[label]] for _, label in images(own)]
    assert TinyImageNet.find_classes(str(tiny), labels='imagenet-1k') == data.metainfo['classes']


def test_a_grey_image_has_three_channels(copied):
    path = sorted((copied / f'train/{WNIDS[0]}/images').iterdir())[0]
    Image.fromarray(np.full((64, 64), 90, dtype=np.uint8)).save(path)
    data = TinyImageNet(str(copied), pipeline=LOADED)
    assert data[0]['img_path'] == str(path) and data[0]['img'].shape == (64, 64, 3)


def _edit(name, change):
    def damage(root):
        text = (root / name).read_text()
        (root / name).write_text(change(text))
    return damage


def _line(number, text):
    return lambda old: ''.join(
        f'{text}\n' if place == number and text is not None else line
        for place, line in enumerate(old.splitlines(keepends=True), 1)
        if place != number or text is not None)


VAL, TRAIN = 'val/val_annotations.txt', f'train/{WNIDS[2]}/images'


@pytest.mark.parametrize(('split', 'damage', 'message'), [
    ('train', lambda root: shutil.rmtree(root), 'no data set at'),
    ('train', lambda root: (root / 'wnids.txt').unlink(), r'wnids.txt` is not there'),
    ('train', _edit('wnids.txt', lambda text: ''), 'names no class'),
    ('train', _edit('wnids.txt', _line(2, 'goldfish')), r'wnids.txt:2: `goldfish`'),
    ('train', _edit('wnids.txt', lambda text: text + WNIDS[0] + '\n'), r'wnids.txt:6: .* line 5'),
    ('train', _edit('words.txt', _line(2, None)), r'words.txt` has no word for `n01443537`'),
    ('train', lambda root: (root / 'words.txt').unlink(), r'words.txt` is not there'),
    ('train', lambda root: shutil.rmtree(root / TRAIN), f'class `{WNIDS[2]}` has no image'),
    ('train', lambda root: shutil.rmtree(root / 'train'), 'train` cannot be read'),
    ('train', lambda root: (root / 'train/n02123045').mkdir(), 'n02123045` is not a class'),
    ('val', lambda root: (root / VAL).unlink(), r'val_annotations.txt` is not there'),
    ('val', _edit(VAL, _line(3, 'val_2.JPEG')), r'val_annotations.txt:3: `val_2.JPEG` is not'),
    ('val', _edit(VAL, _line(3, 'val_2.JPEG\tn02123045\t0')), r'txt:3: `n02123045`, the class of'),
    ('val', _edit(VAL, _line(3, f'val_1.JPEG\t{WNIDS[0]}')), r'txt:3: `val_1.JPEG` is in line 2'),
    ('val', _edit(VAL, _line(3, None)), r'val_2.JPEG` has no line in .*val_annotations.txt'),
    ('val', lambda root: (root / 'val/images/val_4.JPEG').unlink(),
     r'txt:5: `.*val_4.JPEG` is not there'),
    ('val', lambda root: shutil.rmtree(root / 'val/images'), r'txt:1: .*is not there'),
])
def test_a_damaged_data_set_is_an_error_that_names_the_place(copied, split, damage, message):
    damage(copied)
    with pytest.raises(DataError, match=message) as error:
        TinyImageNet(str(copied), split=split)
    assert '--download tiny-imagenet' in error.value.hint


@pytest.mark.parametrize(('arguments', 'message'), [
    (dict(split='valid'), '`valid` is not a split'),
    (dict(labels='fine'), '`fine` are no labels'),
    (dict(holdout=-1), 'holdout=-1'),
    (dict(holdout=6), 'holdout=6 leaves nothing to train on of class `n01443537 goldfish`'),
    (dict(subset=7), 'subset=7 cannot be shared equally by 5 classes'),
    (dict(subset=35), 'class `n01443537 goldfish` has 6'),
])
def test_a_wrong_argument_is_an_error_with_a_hint(tiny, arguments, message):
    with pytest.raises(DataError, match=message) as error:
        TinyImageNet(str(tiny), **arguments)
    assert error.value.hint


def test_a_class_that_is_none_of_imagenets_is_an_error(copied):
    for name in ('wnids.txt', 'words.txt'):
        _edit(name, lambda text: text.replace(WNIDS[0], 'n00000001'))(copied)
    with pytest.raises(DataError, match=r'`n00000001`.*not one of the 1000'):
        TinyImageNet(str(copied), labels='imagenet-1k')


def test_the_content_is_the_same_wherever_and_whenever_it_was_copied(tiny, tmp_path):
    moved = shutil.copytree(tiny, tmp_path / 'moved', copy_function=shutil.copyfile)
    assert TinyImageNet.content_hash(str(moved)) == TinyImageNet.content_hash(str(tiny))


@pytest.mark.parametrize('name', ['words.txt', VAL, 'wnids.txt'])
def test_another_text_is_another_content(copied, tiny, name):
    _edit(name, lambda text: text + '\n')(copied)
    assert TinyImageNet.content_hash(str(copied)) != TinyImageNet.content_hash(str(tiny))


def test_another_image_of_the_same_size_is_another_content(copied, tiny):
    before = TinyImageNet.content_hash(str(copied))
    path = copied / TRAIN / f'{WNIDS[2]}_0.JPEG'
    path.write_bytes(path.read_bytes()[:-1] + b'x')
    assert TinyImageNet.content_hash(str(copied)) != before
    (copied / 'val/images/val_0.JPEG').unlink()
    assert TinyImageNet.content_hash(str(copied)) != TinyImageNet.content_hash(str(tiny))
