import shutil
from collections import Counter

import pytest

from amlnn.data.images.folder import ImageNetFolder
from amlnn.errors import DataError


@pytest.fixture
def copied(data_set, tmp_path):
    return shutil.copytree(data_set, tmp_path / 'copy')


def test_labels_and_paths_are_those_of_the_folders(data_set):
    data = ImageNetFolder(str(data_set), split='val')
    assert len(data) == 5 * 4
    for index in range(len(data)):
        info = data.get_data_info(index)
        assert data.CLASSES[info['gt_label']] == info['img_path'].split('/')[-2]
        assert '/val_set/' in info['img_path']


def test_names_with_spaces_and_other_scripts_are_read(copied):
    image = copied / 'val_set/rose/ünd 花 1.png'
    shutil.copy(copied / 'val_set/rose/0.png', image)
    with open(copied / 'val.txt', 'a', encoding='utf-8') as file:
        file.write('rose/ünd 花 1.png 2\n')
    data = ImageNetFolder(str(copied), split='val')
    assert data.get_data_info(20)['img_path'] == str(image)


@pytest.mark.parametrize(('damage', 'message'), [
    (lambda root: shutil.rmtree(root), 'no data set at'),
    (lambda root: (root / 'classes.txt').unlink(), 'classes.txt'),
    (lambda root: (root / 'test.txt').unlink(), 'has no test part'),
    (lambda root: (root / 'test.txt').write_text(''), 'names no image'),
    (lambda root: (root / 'test.txt').write_text('rose/0.png 9\n'), r'test.txt:1: .* below 5'),
    (lambda root: (root / 'test.txt').write_text('rose/0.png\n'), r'test.txt:1'),
    (lambda root: (root / 'test.txt').write_text('rose/0.png 2\nrose/0.png 1\n'),
     r'test.txt:2: `rose/0.png` has number 1.*`dandelion`'),
    (lambda root: (root / 'test.txt').write_text('rose/none.png 2\n'), 'none.png.*not there'),
])
def test_a_damaged_data_set_is_an_error_that_names_the_place(copied, damage, message):
    damage(copied)
    with pytest.raises(DataError, match=message) as error:
        ImageNetFolder(str(copied), split='test')
    assert error.value.hint


@pytest.mark.parametrize('name', ['classes.txt', 'val.txt'])
def test_a_list_in_another_encoding_is_an_error_that_names_it(copied, name):
    (copied / name).write_bytes((copied / name).read_text().replace('rose', 'ros\xe9')
                                .encode('cp1252'))
    with pytest.raises(DataError, match=f'{name}` is no text in UTF-8') as caught:
        ImageNetFolder(str(copied), split='val')
    assert 'UTF-8' in caught.value.hint


@pytest.mark.parametrize('line', ['rose/0.png \u00b2', 'rose/0.png ' + '9' * 5000, '/ 2', '. 2',
                                  'rose/\0.png 2', ' 2'])
def test_a_line_of_a_list_that_is_no_file_and_number_is_named(copied, line):
    (copied / 'val.txt').write_text(f'rose/0.png 2\n{line}\n', encoding='utf-8')
    with pytest.raises(DataError, match=r'val\.txt:2: '):
        ImageNetFolder(str(copied), split='val')


def test_lists_may_begin_with_the_mark_that_some_editors_write(copied):
    for name in ('classes.txt', 'val.txt'):
        (copied / name).write_text((copied / name).read_text(), encoding='utf-8-sig')
    assert ImageNetFolder(str(copied), split='val').CLASSES[0] == 'daisy'


def test_an_unknown_split_is_an_error_that_lists_the_splits(data_set):
    with pytest.raises(DataError, match='training') as error:
        ImageNetFolder(str(data_set), split='training')
    assert 'train, val, test' in error.value.hint


def test_a_subset_takes_as_many_images_of_each_class_whatever_the_order_of_the_list(copied):
    def chosen():
        data = ImageNetFolder(str(copied), subset=15, seed=2)
        infos = [data.get_data_info(index) for index in range(len(data))]
        assert Counter(info['gt_label'] for info in infos) == dict.fromkeys(range(5), 3)
        return {info['img_path'] for info in infos}
    before = chosen()
    lines = (copied / 'train.txt').read_text().splitlines(keepends=True)
    (copied / 'train.txt').write_text(''.join(reversed(lines)))
    assert chosen() == before
    other = ImageNetFolder(str(copied), subset=15, seed=3)
    assert {other.get_data_info(index)['img_path'] for index in range(15)} != before


@pytest.mark.parametrize(('subset', 'message'), [(12, 'cannot be shared'), (45, 'has 8')])
def test_a_subset_that_there_is_none_of_is_an_error(data_set, subset, message):
    with pytest.raises(DataError, match=message):
        ImageNetFolder(str(data_set), subset=subset)
