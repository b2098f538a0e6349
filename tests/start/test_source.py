"""What DIR may be, and what is refused before anything is done."""

import shutil
import tarfile

import pytest
from generated import write_data_set
from raw_folders import quietly, raw_folder, write_image

from amlnn.errors import DataError, UsageError
from amlnn.start.source import look_at


def refused(folder, out=None) -> DataError:
    with pytest.raises((DataError, UsageError)) as raised:
        look_at(folder, out)
    assert raised.value.hint
    return raised.value


def test_raw_images_are_prepared_into_data_and_elsewhere_if_asked(tmp_path):
    raw = raw_folder(tmp_path / 'my flowers', a=4, b=5)
    given = look_at(raw, None)
    assert (given.source, str(given.data), given.name) == (raw, 'data/my_flowers', 'my_flowers')
    assert not given.prepared
    assert look_at(raw, tmp_path / 'there').data == tmp_path / 'there'


def test_a_source_in_the_place_of_the_data_set_leaves_it_its_name(tmp_path):
    raw_folder(tmp_path / 'cwd/data/flowers', a=4, b=5)
    assert str(look_at(tmp_path / 'cwd/data/flowers', None).data) == 'data/flowers_prepared'


@pytest.mark.parametrize('ending', ['.tar', '.tar.gz', '.zip'])
def test_an_archive_is_called_without_its_endings(tmp_path, ending):
    raw_folder(tmp_path / 'flowers', a=4, b=5)
    kind = {'.tar': 'tar', '.tar.gz': 'gztar', '.zip': 'zip'}[ending]
    shutil.make_archive(str(tmp_path / 'my.flowers'), kind, tmp_path, 'flowers')
    archive = tmp_path / f'my.flowers{ending}'
    given = look_at(archive, tmp_path / 'set')
    assert given.name == 'my.flowers'
    quietly(archive, tmp_path / 'set')
    assert look_at(archive, tmp_path / 'set').prepared


def test_a_prepared_data_set_is_taken_as_it_is(tmp_path):
    root = write_data_set(tmp_path / 'set')
    given = look_at(root, None)
    assert given.source is None and given.data == root and given.prepared
    assert given.parts == {'train': 40, 'val': 20, 'test': 10}
    assert given.prepare_words == ['SRC', str(root)]
    assert '--out' in refused(root, tmp_path / 'other').message


def test_other_content_has_another_name(tmp_path):
    one = look_at(write_data_set(tmp_path / 'one'), None)
    other = look_at(write_data_set(tmp_path / 'other', sizes={'train': 7, 'val': 4}), None)
    assert len(one.content) == 8 and one.content != other.content
    raw = raw_folder(tmp_path / 'raw', a=9, b=9)
    quietly(raw, tmp_path / 'set')
    before = look_at(raw, tmp_path / 'set').content
    quietly(raw, tmp_path / 'set', overwrite=True, seed=1)
    assert look_at(raw, tmp_path / 'set').content != before


@pytest.mark.parametrize(('make', 'said'), [
    (lambda root: None, 'no folder'),
    (lambda root: root.write_text('no images'), 'is a file'),
    (lambda root: root.mkdir(), 'holds no class folders'),
    (lambda root: write_image(root / '1.png'), 'holds images, but no class folders'),
    (lambda root: raw_folder(root, rose=5), 'only one class, `rose`'),
    (lambda root: raw_folder(root, rose=5, tulip=1), '`tulip` has 1 image, and 4 of each'),
    (lambda root: raw_folder(root, rose=5, tulip=3), '`tulip` has 3 images'),
    (lambda root: (raw_folder(root, rose=5), (root / 'tulip').mkdir()), 'only 1 class'),
    (lambda root: raw_folder(root / 'inside', rose=5, tulip=5), 'holds only the folder `inside`'),
    (lambda root: raw_folder(root / 'x', a=5).rename(root / 'y') and raw_folder(root / 'x', b=5),
     'hold no images, but folders'),
    (lambda root: (raw_folder(root / 'train', a=2, b=5), raw_folder(root / 'val', a=1, b=1)),
     '`a` has 2 images in train, and 3 of each'),
])
def test_what_nothing_can_be_learned_from_is_refused(tmp_path, make, said):
    make(tmp_path / 'raw')
    assert said in refused(tmp_path / 'raw').message


def test_four_images_of_a_class_are_enough_for_three_parts(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=4, b=4)
    manifest, _ = quietly(raw, tmp_path / 'set', train_ratio=0.7, val_ratio=0.15, test_ratio=0.15)
    assert manifest.counts['a'] == {'train': 2, 'val': 1, 'test': 1}
    assert look_at(raw, tmp_path / 'set').prepared


def test_an_option_of_a_hint_is_one_of_preparing_by_hand(tmp_path):
    write_image(tmp_path / 'raw/1.png')
    hint = refused(tmp_path / 'raw').hint
    assert '--labels' in hint and f'python data_preprocess.py {tmp_path / "raw"} data/raw' in hint


def test_a_prepared_set_without_validation_or_with_one_image_is_refused(tmp_path):
    assert 'no validation part' in refused(
        write_data_set(tmp_path / 'a', sizes={'train': 4})).message
    assert 'has 1 image' in refused(
        write_data_set(tmp_path / 'b', sizes={'train': 1, 'val': 1})).message


def test_a_file_of_a_prepared_set_that_changed_is_refused(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=9, b=9)
    quietly(raw, tmp_path / 'set')
    next((tmp_path / 'set/training_set').rglob('*.png')).write_bytes(b'other')
    assert 'since the data set was prepared' in refused(tmp_path / 'set').message


def test_a_data_set_of_other_images_is_not_taken_for_that_of_these(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=9, b=9)
    quietly(raw, tmp_path / 'set')
    assert look_at(raw, tmp_path / 'set').prepared
    write_image(raw / 'a/new.png')
    said = refused(raw, tmp_path / 'set')
    assert 'was not prepared from' in said.message
    assert '--overwrite --train-ratio 0.7' in said.hint and '--out' in said.hint
    other = raw_folder(tmp_path / 'other', a=9, c=9)
    assert 'was not prepared from' in refused(other, tmp_path / 'set').message


def test_an_archive_of_other_images_is_not_taken_either(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=9, b=9)
    quietly(raw, tmp_path / 'set')
    other = raw_folder(tmp_path / 'other', c=9, d=9)
    with tarfile.open(tmp_path / 'other.tar', 'w') as archive:
        archive.add(other, 'other')
    assert 'was not prepared from' in refused(tmp_path / 'other.tar', tmp_path / 'set').message


def test_a_set_whose_labels_were_fixed_is_still_that_of_its_source(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=9, b=9)
    (tmp_path / 'fixes.csv').write_text('id,label,suggestion\na/001.png,a,b\nb/002.png,b,\n')
    quietly(raw, tmp_path / 'set', fixes=tmp_path / 'fixes.csv')
    assert look_at(raw, tmp_path / 'set').prepared
