"""A table of fixes: what it changes in a data set, what it refuses; no source is touched."""

import json

import pytest
from raw_folders import images_of, quietly, raw_folder, tree, write_image

from amlnn.data.prepare.check import check
from amlnn.errors import DataError

HEADER = 'id,label,suggestion,reason,score'


def table(tmp_path, *rows, header=HEADER):
    path = tmp_path / 'fixes.csv'
    path.write_text('\n'.join([header, *rows]) + '\n', encoding='utf-8')
    return path


@pytest.fixture
def raw(tmp_path):
    return raw_folder(tmp_path / 'raw', cat=12, dog=12)


def test_an_image_gets_another_class_or_is_left_out_and_the_source_stays(tmp_path, raw):
    fixes = table(tmp_path, 'cat/003.png,cat,dog,mislabelled,0.9', 'dog/004.png,dog,,outlier,0.7')
    before = tree(raw)
    manifest, said = quietly(raw, tmp_path / 'out', val_ratio=0, train_ratio=1, fixes=fixes)
    assert tree(raw) == before
    # dog/003.png is there already.
    expected = {f'cat/{n:03d}.png' for n in range(12) if n != 3} | {
        f'dog/{n:03d}.png' for n in range(12) if n != 4} | {'dog/cat_003.png'}
    assert set(images_of(tmp_path / 'out', 'training_set')) == expected
    lines = (tmp_path / 'out/train.txt').read_text().splitlines()
    assert set(lines) == {f'{name} {int(name[:3] == "dog")}' for name in expected}
    moved = tmp_path / 'out/training_set/dog/cat_003.png'
    assert moved.read_bytes() == (raw / 'cat/003.png').read_bytes()
    recorded = json.loads((tmp_path / 'out/manifest.json').read_text())['problems']
    assert [(row['kind'], row['path'], row['detail'], row['action']) for row in recorded] == [
        ('fixed-label', 'cat/003.png', 'cat to dog: mislabelled', 'given another class'),
        ('fixed-out', 'dog/004.png', 'outlier', 'left out')]
    assert manifest.counts == {'cat': {'train': 11}, 'dog': {'train': 12}}
    assert manifest.source_images == 24
    assert 'an image that --fixes leaves out' in said


def test_without_its_rows_a_table_does_nothing(tmp_path, raw):
    same = table(tmp_path, 'cat/003.png,cat,cat,mislabelled,0.9', ',,,,')
    plain, _ = quietly(raw, tmp_path / 'plain')
    for number, fixes in enumerate((same, table(tmp_path))):
        manifest, _ = quietly(raw, tmp_path / f'out{number}', fixes=fixes)
        assert (manifest.hash, manifest.problems) == (plain.hash, [])


def test_a_damaged_image_that_is_left_out_stops_nothing(tmp_path, raw):
    (raw / 'cat/broken.png').write_bytes(b'no image')
    (raw / 'dog/gone.png').symlink_to(raw / 'nowhere.png')
    with pytest.raises(DataError, match='2 that training cannot use'):
        quietly(raw, tmp_path / 'out')
    fixes = table(tmp_path, 'cat/broken.png,cat,,damaged,1', 'dog/gone.png,dog,,damaged,1')
    manifest, _ = quietly(raw, tmp_path / 'out', fixes=fixes)
    assert len(manifest.images) == 24
    assert {problem.action for problem in manifest.problems} == {'left out'}


def test_a_spreadsheet_may_put_semicolons_and_a_mark_before_the_header(tmp_path, raw):
    fixes = tmp_path / 'fixes.csv'
    fixes.write_text('\ufeffid;label;suggestion\ncat/003.png;cat;dog\n', encoding='utf-8')
    manifest, _ = quietly(raw, tmp_path / 'out', fixes=fixes)
    assert [problem.detail for problem in manifest.problems] == ['cat to dog']


def test_ids_of_a_prepared_data_set_are_found_in_its_source(tmp_path, raw):
    first, _ = quietly(raw, tmp_path / 'first')
    val = next(image.file for image in first.images if image.split == 'val'
               and image.class_name == 'cat')
    manifest, _ = quietly(raw, tmp_path / 'out', fixes=table(tmp_path, f'val_set/{val},cat,,,'))
    assert [problem.path for problem in manifest.problems] == [val]


def test_of_a_source_in_parts_the_part_says_which_image_is_meant(tmp_path):
    for part, suffix in (('train', 'a'), ('val', 'b')):
        for name in ('cat', 'dog'):
            for number in range(6):
                write_image(tmp_path / f'raw/{part}/{name}/{number}.png', (suffix, name, number))
    fixes = table(tmp_path, 'train/cat/0.png,cat,dog,,', 'val_set/cat/1.png,cat,,,')
    manifest, _ = quietly(tmp_path / 'raw', tmp_path / 'out', fixes=fixes, val_ratio=0,
                          train_ratio=1)
    assert manifest.counts == {'cat': {'train': 5, 'val': 5}, 'dog': {'train': 7, 'val': 6}}
    assert [problem.path for problem in manifest.problems if problem.kind.startswith('fixed')] == [
        'train/cat/0.png', 'val/cat/1.png']


def test_checking_shows_what_the_fixes_do_and_writes_nothing(tmp_path, raw):
    fixes = table(tmp_path, 'cat/003.png,cat,dog,mislabelled,0.9')
    before = tree(tmp_path)
    assert [problem.kind for problem in check(raw, fixes=fixes)] == ['fixed-label']
    assert tree(tmp_path) == before


@pytest.mark.parametrize(('rows', 'header', 'said', 'hint'), [
    (['cat/099.png,cat,dog,,'], HEADER, 'row 2: no image `cat/099.png` in the source', 'delete'),
    (['cat/003.png,cat,bird,,'], HEADER, 'row 2: no class `bird`', 'one of cat, dog'),
    (['cat/003.png,dog,cat,,'], HEADER, 'of the class `dog` there, and of `cat` in the source',
     'tools/doctor.py'),
    (['cat/003.png,cat,dog,,', 'cat/003.png,cat,,,'], HEADER, 'row 3: .* is in row 2 already',
     'delete one'),
    (['cat/003.png,cat,,,', 'train/cat/003.png,cat,,,'], HEADER, 'is the image of', 'delete one'),
    (['cat/003.png,cat'], HEADER, 'row 2 has 2 values, the header 5', 'quotes'),
    (['cat/003.png,dog'], 'image,class', 'has the columns image, class: id, label, suggestion',
     'tools/doctor.py'),
    (['cat/003.png,dog,cat,a'], 'id,label,suggestion,id', 'one of them twice', 'tools/doctor.py'),
    ([], '', 'has the columns of nothing', 'tools/doctor.py')])
def test_a_table_that_does_not_fit_is_refused_in_two_lines(tmp_path, raw, rows, header, said, hint):
    with pytest.raises(DataError, match=said) as caught:
        quietly(raw, tmp_path / 'out', fixes=table(tmp_path, *rows, header=header))
    assert hint in caught.value.hint
    assert not (tmp_path / 'out').exists()


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path, raw):
    with pytest.raises(DataError, match=r'`.*none.csv` cannot be read'):
        quietly(raw, tmp_path / 'out', fixes=tmp_path / 'none.csv')
    (tmp_path / 'bytes.csv').write_bytes(b'id,label\xff')
    with pytest.raises(DataError, match='no text in UTF-8'):
        quietly(raw, tmp_path / 'out', fixes=tmp_path / 'bytes.csv')
