"""Sources as they come: split already, nested, labelled by a table, in an archive, in groups."""

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from raw_folders import images_of, leftovers, quietly, raw_folder, tree, write_image

from amlnn.errors import DataError, UsageError


def split_source(root, **parts):
    for part, count in parts.items():
        for class_name in ('cat', 'dog'):
            for number in range(count):
                write_image(root / part / class_name / f'{number}.png',
                            (part, class_name, number))
    return root


def sizes(target):
    folders = {'train': 'training_set', 'val': 'val_set', 'test': 'test_set'}
    return {part: len(images_of(target, folder)) for part, folder in folders.items()
            if (target / folder).exists()}


def kinds(manifest):
    return {(item.kind, item.path) for item in manifest.problems if item.kind != 'few-images'}


@pytest.mark.parametrize('names', [('train', 'valid', 'test'), ('Training', 'VAL', 'Testing'),
                                   ('train', 'validation', 'test_set')])
def test_a_split_that_is_there_is_kept(tmp_path, names):
    raw = split_source(tmp_path / 'raw', **dict(zip(names, (7, 3, 2), strict=True)))
    manifest, said = quietly(raw, tmp_path / 'out')
    for name, folder in zip(names, ('training_set', 'val_set', 'test_set'), strict=True):
        before = {path: digest for path, digest in tree(raw / name).items() if digest}
        after = tree(tmp_path / 'out' / folder)
        assert {path: digest for path, digest in after.items() if digest} == before
    assert manifest.parts == dict(zip(('train', 'val', 'test'), names, strict=True))
    assert 'the split of the source was kept' in said
    assert [line.rpartition(' ')[2] for line in (tmp_path / 'out' / 'val.txt').read_text()
            .splitlines()] == ['0'] * 3 + ['1'] * 3


def test_a_validation_part_is_taken_out_of_train_where_there_is_none(tmp_path):
    raw = split_source(tmp_path / 'raw', train=10, test=3)
    for number in range(4):
        shutil.copy(raw / 'train' / 'cat' / f'{number}.png',
                    raw / 'train' / 'cat' / f'again{number}.png')
    manifest, said = quietly(raw, tmp_path / 'out', on_duplicate='keep', seed=1)
    assert sizes(tmp_path / 'out') == {'train': 19, 'val': 5, 'test': 6}  # a fifth of 14 and of 10
    splits = {}
    for image in manifest.images:
        splits.setdefault(image.sha256, set()).add(image.split)
    assert all(len(found) == 1 for found in splits.values())
    assert 'val taken out of train' in said
    again, _ = quietly(raw, tmp_path / 'again', on_duplicate='keep', seed=1)
    assert again.hash == manifest.hash
    other, _ = quietly(raw, tmp_path / 'other', on_duplicate='keep', seed=2)
    assert other.hash != manifest.hash
    assert {image.file for image in other.images if image.split == 'test'} == {
        image.file for image in manifest.images if image.split == 'test'}


def test_without_a_validation_ratio_nothing_is_taken_out(tmp_path):
    raw = split_source(tmp_path / 'raw', train=5, test=3)
    quietly(raw, tmp_path / 'out', train_ratio=1, val_ratio=0)
    assert sizes(tmp_path / 'out') == {'train': 10, 'test': 6}


def test_of_copies_across_parts_the_evaluated_one_stays(tmp_path):
    raw = split_source(tmp_path / 'raw', train=6, val=3, test=3)
    shutil.copy(raw / 'train' / 'cat' / '1.png', raw / 'test' / 'cat' / 'x.png')
    shutil.copy(raw / 'train' / 'cat' / '2.png', raw / 'val' / 'cat' / 'y.png')
    with pytest.raises(DataError, match='2 that are copies'):
        quietly(raw, tmp_path / 'out', on_duplicate='fail')
    manifest, _ = quietly(raw, tmp_path / 'out')
    assert kinds(manifest) == {('part-copy', 'train/cat/1.png'), ('part-copy', 'train/cat/2.png')}
    assert 'cat/x.png' in images_of(tmp_path / 'out', 'test_set')
    kept, _ = quietly(raw, tmp_path / 'kept', on_duplicate='keep')
    assert sizes(tmp_path / 'kept') == {'train': 12, 'val': 7, 'test': 7}
    assert {item.action for item in kept.problems if item.kind == 'part-copy'} == {
        'kept, in several parts'}


@pytest.mark.parametrize(('name', 'hint'), [('Cat', 'mv '), ('cats', 'did you mean cat?'),
                                            ('zebra', 'rename')])
def test_a_class_that_train_does_not_know_is_refused(tmp_path, name, hint):
    raw = split_source(tmp_path / 'raw', train=5, valid=3)
    (raw / 'valid' / 'cat').rename(raw / 'valid' / name)
    with pytest.raises(DataError, match=name) as caught:
        quietly(raw, tmp_path / 'out')
    assert hint in caught.value.hint


def test_a_class_that_a_part_lacks_is_named(tmp_path):
    raw = split_source(tmp_path / 'raw', train=5, valid=3)
    shutil.rmtree(raw / 'valid' / 'dog')
    manifest, _ = quietly(raw, tmp_path / 'out')
    assert kinds(manifest) == {('missing-class', 'valid/dog')}
    assert (tmp_path / 'out' / 'val_set' / 'dog').is_dir()


def test_a_part_without_labels_is_left_out_and_named(tmp_path):
    raw = split_source(tmp_path / 'raw', train=5, valid=3)
    for number in range(4):
        write_image(raw / 'test' / f'{number}.png')
    manifest, _ = quietly(raw, tmp_path / 'out')
    assert kinds(manifest) == {('no-labels', 'test')}
    assert sizes(tmp_path / 'out') == {'train': 10, 'val': 6}


def test_parts_that_cannot_be_told_apart_are_refused(tmp_path):
    raw = split_source(tmp_path / 'raw', train=5, val=3, valid=3)
    with pytest.raises(DataError, match='two folders for one part'):
        quietly(raw, tmp_path / 'out')


def test_classes_that_are_called_like_parts_are_classes(tmp_path):
    raw = raw_folder(tmp_path / 'raw', train=5, test=5, plane=5)
    manifest, _ = quietly(raw, tmp_path / 'out')
    assert manifest.classes == ['plane', 'test', 'train']


def nest(root):
    for top, leaf in (('animals', 'cat'), ('animals', 'dog'), ('cars', 'vw')):
        for number in range(4):
            write_image(root / top / leaf / f'{number}.png', (top, leaf, number))
    return root


@pytest.mark.parametrize(('nested', 'classes', 'file'), [
    ('leaf', ['cat', 'dog', 'vw'], 'cat/0.png'),
    ('join', ['animals_cat', 'animals_dog', 'cars_vw'], 'animals_cat/0.png'),
    ('top', ['animals', 'cars'], 'animals/cat__0.png')])
def test_folders_inside_class_folders_become_classes_as_asked(tmp_path, nested, classes, file):
    raw = nest(tmp_path / 'raw')
    with pytest.raises(DataError, match='no images, but folders') as caught:
        quietly(raw, tmp_path / 'out')
    assert '--nested leaf' in caught.value.hint
    manifest, _ = quietly(raw, tmp_path / 'out', nested=nested)
    assert manifest.classes == classes
    assert file in {image.file for image in manifest.images}
    assert len(manifest.images) == 12


def test_one_name_for_two_inner_folders_is_refused(tmp_path):
    raw = nest(tmp_path / 'raw')
    write_image(raw / 'cars' / 'cat' / 'x.png')
    with pytest.raises(DataError, match='`animals/cat` and `cars/cat` are both the class `cat`') \
            as caught:
        quietly(raw, tmp_path / 'out', nested='leaf')
    assert '--nested join' in caught.value.hint


@pytest.mark.parametrize('kind', ['zip', 'tar', 'gztar', 'xztar', 'bztar'])
def test_an_archive_is_as_good_as_its_folder(tmp_path, kind):
    raw = raw_folder(tmp_path / 'a' / 'flowers', cat=5, dog=5)
    archive = shutil.make_archive(str(tmp_path / 'flowers'), kind, tmp_path / 'a')
    before = Path(archive).read_bytes()
    expected, _ = quietly(raw, tmp_path / 'out')
    manifest, _ = quietly(archive, tmp_path / 'again')
    assert manifest == expected
    assert tree(tmp_path / 'again') == tree(tmp_path / 'out')
    assert Path(archive).read_bytes() == before
    assert leftovers(tmp_path) == []


def entry(name, kind=tarfile.REGTYPE, link=''):
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, link, 3 if kind == tarfile.REGTYPE else 0
    return found


@pytest.mark.parametrize('found', [
    entry('../out.png'), entry('/tmp/out.png'), entry('a/x', tarfile.SYMTYPE, '/etc'),
    entry('a/x', tarfile.LNKTYPE, '../../x'), entry('a/x', tarfile.FIFOTYPE)],
    ids=['above', 'absolute', 'symbolic link', 'hard link', 'pipe'])
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path, found):
    with tarfile.open(tmp_path / 'evil.tar', 'w') as archive:
        archive.addfile(found, io.BytesIO(b'abc'))
    with pytest.raises(DataError, match=r'evil\.tar` holds') as caught:
        quietly(tmp_path / 'evil.tar', tmp_path / 'out')
    assert 'by hand' in caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != 'cwd') == ['evil.tar']


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    raw_folder(tmp_path / 'raw', cat=5, dog=5)
    archive = shutil.make_archive(str(tmp_path / 'raw'), 'zip', tmp_path / 'raw')
    monkeypatch.setattr('amlnn.data.prepare.archives.SMALLEST_LIMIT', 100)
    monkeypatch.setattr('amlnn.data.prepare.archives.LARGEST_GROWTH', 0.1)
    with pytest.raises(DataError, match='unpacks to more than'):
        quietly(archive, tmp_path / 'out')


@pytest.mark.parametrize('seed', range(4))
def test_images_of_a_group_are_never_divided(tmp_path, seed):
    raw = tmp_path / 'raw'
    for class_name, people in (('well', range(8)), ('ill', range(5, 13))):  # some are in both
        for person in people:
            for number in range(1 + person % 4):
                write_image(raw / class_name / f'p{person:02d}_{number}.png')
    manifest, said = quietly(raw, tmp_path / 'out', group_by=r'(p\d+)_', seed=seed)
    split_of = {}
    for image in manifest.images:
        split_of.setdefault(image.file.split('/')[1][:3], set()).add(image.split)
    assert len(split_of) == 13
    assert all(len(found) == 1 for found in split_of.values())
    assert sum(manifest.groups.values()) == 13 and 'none of them divided' in said
    for row in manifest.counts.values():
        assert 0.1 <= row['val'] / (row['val'] + row['train']) <= 0.35  # a fifth was asked for
    assert manifest.group_by == r'(p\d+)_'


@pytest.mark.parametrize(('pattern', 'message', 'error'), [
    ('(', 'no regular expression', UsageError), ('zz', 'finds no group', DataError),
    ('(cat|dog)', 'too few groups', DataError)])
def test_groups_that_cannot_be_are_refused(tmp_path, pattern, message, error):
    with pytest.raises(error, match=message) as caught:
        quietly(raw_folder(tmp_path / 'raw', cat=5, dog=5), tmp_path / 'out', group_by=pattern)
    assert caught.value.hint


def test_images_without_a_group_are_named_and_stand_alone(tmp_path):
    raw = raw_folder(tmp_path / 'raw', cat=6, dog=6)
    manifest, _ = quietly(raw, tmp_path / 'out', group_by=r'cat/(00[01])')
    assert len(kinds(manifest)) == 10
    split = {image.file: image.split for image in manifest.images}
    assert len(split) == 12


def test_a_group_in_two_given_parts_is_refused(tmp_path):
    raw = split_source(tmp_path / 'raw', train=5, test=3)
    with pytest.raises(DataError, match=r'train/cat/0\.png, test/cat/0\.png'):
        quietly(raw, tmp_path / 'out', group_by=r'(\d)\.png')
