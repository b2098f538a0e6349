"""Labels in a table beside one folder of images."""

import pytest
from raw_folders import images_of, quietly, write_image

from amlnn.errors import DataError, UsageError

LABELS = ['cat', 'dog'] * 6


@pytest.fixture
def images(tmp_path):
    for number in range(12):
        write_image(tmp_path / 'images' / f'im{number}.png')
    return tmp_path / 'images'


def table(folder, header, rows, delimiter=',', encoding='utf-8'):
    path = folder / 'labels.csv'
    text = '\n'.join(delimiter.join(map(str, row)) for row in [header, *rows]) + '\n'
    path.write_bytes(text.encode(encoding))
    return path


def expected(names=LABELS):
    return {f'{label}/im{number}.png' for number, label in enumerate(names)}


def found(manifest):
    return {image.file for image in manifest.images}


def kinds(manifest):
    return {(item.kind, item.path, item.action) for item in manifest.problems
            if item.kind != 'few-images'}


@pytest.mark.parametrize('name', ['im{}', 'im{}.png', 'images/im{}.png', './im{}.png',
                                  r'images\im{}.png', 'elsewhere/im{}'])
@pytest.mark.parametrize('delimiter', [',', ';', '\t', '|'])
def test_names_are_found_with_and_without_endings_and_folders(images, tmp_path, name, delimiter):
    rows = [(name.format(number), label) for number, label in enumerate(LABELS)]
    path = table(tmp_path, ('image_id', 'label'), rows, delimiter)
    manifest, _ = quietly(images, tmp_path / 'out', labels=path)
    assert found(manifest) == expected()
    assert kinds(manifest) == set()


def test_a_table_in_the_folder_of_its_images_is_no_image(images, tmp_path):
    path = table(images, ('id', 'class'), [(f'im{n}', label) for n, label in enumerate(LABELS)],
                 encoding='utf-8-sig')
    manifest, _ = quietly(images, tmp_path / 'out', labels=path)
    assert (found(manifest), kinds(manifest)) == (expected(), set())


def test_images_in_folders_of_one_name_stay_apart(tmp_path):
    rows = []
    for folder in ('monday', 'tuesday'):
        for number in range(6):
            write_image(tmp_path / 'images' / folder / f'{number}.png', (folder, number))
            rows.append((f'{folder}/{number}.png', LABELS[number]))
    path = table(tmp_path, ('path', 'label'), rows)
    manifest, _ = quietly(tmp_path / 'images', tmp_path / 'out', labels=path)
    assert len(found(manifest)) == 12
    assert {'cat/0.png', 'cat/tuesday__0.png'} <= found(manifest)


def test_of_several_columns_the_class_is_the_one_called_so_or_asked_for(images, tmp_path):
    rows = [(f'im{n}', n * 3, label, f'p{n // 4}') for n, label in enumerate(LABELS)]
    path = table(tmp_path, ('id', 'age', 'species', 'who'), rows)
    assert found(quietly(images, tmp_path / 'a', labels=path)[0]) == expected()
    path = table(tmp_path, ('id', 'age', 'kind', 'who'), rows)
    with pytest.raises(UsageError, match='age, kind, who') as caught:
        quietly(images, tmp_path / 'out', labels=path)
    assert '--label-column' in caught.value.hint
    manifest, _ = quietly(images, tmp_path / 'b', labels=path, label_column='kind')
    assert found(manifest) == expected()
    with pytest.raises(UsageError, match='no column `kinds`'):
        quietly(images, tmp_path / 'out', labels=path, label_column='kinds')
    manifest, _ = quietly(images, tmp_path / 'c', labels=path, label_column='kind',
                          image_column='id', group_by='who')
    split_of = {}
    for image in manifest.images:
        number = int(image.file.split('im')[1].split('.')[0])
        split_of.setdefault(number // 4, set()).add(image.split)
    assert all(len(splits) == 1 for splits in split_of.values())
    assert sum(manifest.groups.values()) == 3


@pytest.mark.parametrize('write', ['{}', '{}.0'])
def test_numbers_are_classes_too(images, tmp_path, write):
    path = table(tmp_path, ('id', 'target'), [(f'im{n}', write.format(n % 2)) for n in range(12)])
    manifest, _ = quietly(images, tmp_path / 'out', labels=path)
    assert manifest.classes == ['0', '1']


def test_a_column_of_parts_is_the_split(images, tmp_path):
    parts = ['train', 'train', 'train', 'train', 'Validation', 'Validation'] * 2
    path = table(tmp_path, ('id', 'label', 'split'),
                 [(f'im{n}', LABELS[n], part) for n, part in enumerate(parts)])
    manifest, _ = quietly(images, tmp_path / 'out', labels=path)
    assert {file.split('/')[1] for file in images_of(tmp_path / 'out', 'val_set')} == {
        f'im{n}.png' for n, part in enumerate(parts) if part == 'Validation'}
    assert manifest.parts == {'train': 'train', 'val': 'Validation'}


def test_rows_that_do_not_fit_are_named_refused_or_left_out(images, tmp_path):
    rows = [(f'im{n}', label) for n, label in enumerate(LABELS)][:-1]
    rows += [('im0', 'dog'), ('im1', 'dog'), ('gone', 'dog'), ('im11', '')]
    path = table(tmp_path, ('id', 'label'), rows)
    write_image(images / 'more.png')
    with pytest.raises(DataError, match='3 that training cannot use'):
        quietly(images, tmp_path / 'out', labels=path)
    manifest, _ = quietly(images, tmp_path / 'out', labels=path, on_bad='skip')
    assert kinds(manifest) == {
        ('two-labels', 'im0.png', 'left out'), ('row-twice', 'im0.png', 'ignored'),
        ('row-twice', 'im1.png', 'ignored'), ('no-file', 'gone', 'left out'),
        ('no-label', 'im11.png', 'left out'), ('unlisted', 'more.png', 'left out')}
    assert found(manifest) == expected() - {'cat/im0.png', 'dog/im11.png'}


@pytest.mark.parametrize(('header', 'rows', 'message'), [
    (('id', 'label'), [('x1', 'cat'), ('x2', 'dog')], 'no value of .* is an image'),
    (('id',), [('im1',)], '1 columns'),
    (('id', 'label'), [('im1', 'a/b'), ('im2', 'c')], 'cannot be the name of a folder'),
    (('id', 'label'), [('im1', 'cat', 'x'), ('im2', 'c')], 'row 2 has 3 values'),
    (('id', 'label'), [('im1', 'Cat'), ('im2', 'cat')], 'differ only in case'),
    (('id', 'label', 'split'), [('im1', 'cat', 'test'), ('im2', 'dog', 'val')], 'into train')])
def test_tables_that_cannot_be_used_are_explained(images, tmp_path, header, rows, message):
    path = table(tmp_path, header, rows)
    with pytest.raises(DataError, match=message) as caught:
        quietly(images, tmp_path / 'out', labels=path)
    assert caught.value.hint
    assert not (tmp_path / 'out').exists()


def test_options_of_a_table_need_one(images, tmp_path):
    with pytest.raises(UsageError, match='columns of a table'):
        quietly(images, tmp_path / 'out', label_column='x')
    with pytest.raises(DataError, match='cannot be read'):
        quietly(images, tmp_path / 'out', labels=tmp_path / 'none.csv')
