"""What is wrong with a raw folder: named, and left out only when the user says so."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from raw_folders import images_of, noise, quietly, raw_folder, tree, write_image

from amlnn.data.prepare import kinds
from amlnn.data.prepare.manifest import read_manifest
from amlnn.errors import AmlnnError, DataError


@pytest.fixture
def raw(tmp_path):
    return raw_folder(tmp_path / 'raw', cat=12, dog=12)


def written(target):
    return {file for folder in ('training_set', 'val_set') for file in images_of(target, folder)}


def empty_file(raw):
    (raw / 'cat' / 'bad.jpg').touch()


def text(raw):
    (raw / 'cat' / 'bad.txt').write_text('a note')


def web_page(raw):
    (raw / 'cat' / 'bad.jpg').write_text('<html>404</html>')


def cut_jpeg(raw):
    path = write_image(raw / 'cat' / 'bad.jpg', size=(64, 64))
    path.write_bytes(path.read_bytes()[:-900])


def cut_png(raw):
    path = write_image(raw / 'cat' / 'bad.png', size=(64, 64))
    path.write_bytes(path.read_bytes()[:-900])


def damaged_png(raw):
    path = write_image(raw / 'cat' / 'bad.png', size=(64, 64))
    data = bytearray(path.read_bytes())
    data[300:310] = bytes(10)
    path.write_bytes(data)


def animation(raw):
    noise(0).save(raw / 'cat' / 'bad.png', save_all=True, append_images=[noise(1), noise(2)])


def pages(raw):
    noise(0).save(raw / 'cat' / 'bad.tif', save_all=True, append_images=[noise(1)])


def dot(raw):
    write_image(raw / 'cat' / 'bad.png', size=(1, 1))


def webp(raw):
    write_image(raw / 'cat' / 'bad.webp')


def gif(raw):
    noise(0).save(raw / 'cat' / 'bad.gif', save_all=True, append_images=[noise(1)])


def subfolder(raw):
    write_image(raw / 'cat' / 'bad' / 'deep.png')


def broken_link(raw):
    (raw / 'cat' / 'bad.png').symlink_to('nowhere.png')


def pipe(raw):
    os.mkfifo(raw / 'cat' / 'bad.png')


def case(raw):
    write_image(raw / 'cat' / 'BAD.png')
    write_image(raw / 'cat' / 'bad.png')


def line_break(raw):
    write_image(raw / 'cat' / 'bad\n.png')


def not_utf8(raw):
    shutil.copy(noise_file(raw), os.fsencode(raw / 'cat') + b'/bad\xff.png')


def noise_file(raw):
    return write_image(raw.parent / 'elsewhere' / 'x.png')


BAD = {empty_file: 'empty-file', text: 'not-an-image', web_page: 'not-an-image',
       cut_jpeg: 'truncated', cut_png: 'truncated', damaged_png: 'corrupt', animation: 'animated',
       pages: 'animated', dot: 'tiny', webp: 'extension', gif: 'extension',
       subfolder: 'nested-folder', broken_link: 'unreadable', pipe: 'unreadable', case: 'case',
       line_break: 'name', not_utf8: 'name'}


@pytest.mark.parametrize(('spoil', 'kind'), BAD.items(), ids=lambda value: getattr(
    value, '__name__', value))
def test_a_bad_file_stops_the_run_and_is_named_or_is_left_out(raw, tmp_path, spoil, kind, capsys):
    expected = {name for name, digest in tree(raw).items() if digest}
    spoil(raw)
    with pytest.raises(DataError, match='1 that training cannot use') as caught:
        quietly(raw, tmp_path / 'out')
    assert '--on-bad skip' in caught.value.hint
    assert not (tmp_path / 'out').exists()
    manifest, said = quietly(raw, tmp_path / 'out', on_bad='skip')
    (problem,) = manifest.problems
    assert (problem.kind, problem.action) == (kind, 'left out')
    assert problem.path.startswith('cat/bad')
    assert problem.path in said
    assert kinds.KINDS[kind] in said
    assert {file for file in written(tmp_path / 'out') if file != 'cat/BAD.png'} == expected
    assert manifest.source_images == 24 + (kind != 'nested-folder') + (kind == 'case')


def test_an_unreadable_file_is_named(raw, tmp_path, monkeypatch):
    read_bytes = Path.read_bytes

    def refusing(self):
        if self.name == '003.png':
            raise PermissionError(13, 'Permission denied')
        return read_bytes(self)
    monkeypatch.setattr(Path, 'read_bytes', refusing)
    (raw / 'dog' / '003.png').unlink()
    manifest, _ = quietly(raw, tmp_path / 'out', on_bad='skip')
    assert [(problem.kind, problem.path, problem.detail) for problem in manifest.problems] == [
        ('unreadable', 'cat/003.png', 'Permission denied')]


def test_an_image_that_opencv_cannot_decode_is_named(raw, tmp_path, monkeypatch):
    import cv2
    decode, bad = cv2.imdecode, (raw / 'cat' / '003.png').read_bytes()
    monkeypatch.setattr(cv2, 'imdecode', lambda data, flags: None if data.tobytes() == bad
                        else decode(data, flags))
    manifest, _ = quietly(raw, tmp_path / 'out', on_bad='skip')
    assert [(problem.kind, problem.path) for problem in manifest.problems] == [
        ('corrupt', 'cat/003.png')]
    assert 'OpenCV' in manifest.problems[0].detail


def test_a_camera_photograph_with_a_preview_in_it_is_no_animation(raw, tmp_path):
    noise(0).save(raw / 'cat' / 'camera.jpg', format='MPO', save_all=True,
                  append_images=[noise(1)])
    with Image.open(raw / 'cat' / 'camera.jpg') as image:
        assert image.n_frames == 2
    manifest, _ = quietly(raw, tmp_path / 'out')
    assert manifest.problems == []


def test_a_turned_photograph_has_the_size_that_training_sees(raw, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    noise(0, (20, 10)).save(raw / 'cat' / 'turned.jpg', exif=exif)
    manifest, _ = quietly(raw, tmp_path / 'out')
    (image,) = [image for image in manifest.images if image.file == 'cat/turned.jpg']
    assert (image.width, image.height) == (10, 20)


def test_hidden_and_stray_files_are_ignored_and_named(raw, tmp_path):
    write_image(raw / '.git' / 'x.png')
    (raw / '.DS_Store').touch()
    (raw / 'readme.md').write_text('about')
    write_image(raw / 'loose.png')
    (raw / 'cat' / 'Thumbs.db').touch()
    (raw / 'cat' / '._000.png').touch()
    (raw / '__MACOSX').mkdir()
    manifest, said = quietly(raw, tmp_path / 'out')
    assert [(problem.path, problem.kind, problem.action) for problem in manifest.problems] == [
        ('.DS_Store', 'hidden', 'ignored'), ('.git', 'hidden', 'ignored'),
        ('__MACOSX', 'hidden', 'ignored'), ('cat/._000.png', 'hidden', 'ignored'),
        ('cat/Thumbs.db', 'hidden', 'ignored'), ('loose.png', 'stray', 'ignored'),
        ('readme.md', 'stray', 'ignored')]
    assert '.DS_Store' in said
    assert len(written(tmp_path / 'out')) == 24


def test_a_link_is_copied_as_what_it_leads_to(raw, tmp_path):
    outside = write_image(tmp_path / 'elsewhere' / 'x.png')
    (raw / 'cat' / 'link.png').symlink_to(outside)
    raw_folder(tmp_path / 'far', bird=12)
    (raw / 'bird').symlink_to(tmp_path / 'far' / 'bird')
    manifest, _ = quietly(raw, tmp_path / 'out')
    assert [(problem.kind, problem.path) for problem in manifest.problems] == [
        ('link', 'bird'), ('link', 'cat/link.png')]
    assert 'cat/link.png' in written(tmp_path / 'out')
    assert not any(path.is_symlink() for path in (tmp_path / 'out').rglob('*'))


def test_copies_within_a_class_stop_the_run_or_leave_the_first(raw, tmp_path):
    for name in ('zz.png', 'yy.png'):
        shutil.copy(raw / 'cat' / '004.png', raw / 'cat' / name)
    with pytest.raises(DataError, match='2 that are copies of another') as caught:
        quietly(raw, tmp_path / 'out', on_duplicate='fail')
    assert '--on-duplicate drop' in caught.value.hint
    manifest, _ = quietly(raw, tmp_path / 'out')
    assert [(problem.kind, problem.path, problem.action) for problem in manifest.problems] == [
        ('copy', 'cat/yy.png', 'left out'), ('copy', 'cat/zz.png', 'left out')]
    assert 'cat/004.png' in written(tmp_path / 'out')
    assert len(written(tmp_path / 'out')) == 24


def test_of_copies_in_two_classes_none_is_kept_as_nobody_knows_the_label(raw, tmp_path):
    shutil.copy(raw / 'cat' / '004.png', raw / 'dog' / 'x.png')
    shutil.copy(raw / 'cat' / '004.png', raw / 'cat' / 'y.png')
    with pytest.raises(DataError, match='3 that are copies'):
        quietly(raw, tmp_path / 'out', on_duplicate='fail')
    manifest, _ = quietly(raw, tmp_path / 'out', on_duplicate='drop')
    assert {problem.path for problem in manifest.problems} == {
        'cat/004.png', 'cat/y.png', 'dog/x.png'}
    assert {problem.kind for problem in manifest.problems} == {'label-conflict'}
    assert len(written(tmp_path / 'out')) == 23


def test_a_copy_with_other_metadata_is_a_copy(raw, tmp_path):
    with Image.open(raw / 'cat' / '004.png') as image:
        image.save(raw / 'cat' / 'bitmap.bmp')
    manifest, _ = quietly(raw, tmp_path / 'out', on_duplicate='drop')
    assert [(problem.path, problem.detail) for problem in manifest.problems] == [
        ('cat/bitmap.bmp', 'same as cat/004.png')]


@pytest.mark.parametrize('seed', range(5))
def test_kept_copies_never_lie_in_two_splits(raw, tmp_path, seed):
    for number in range(6):
        shutil.copy(raw / 'cat' / f'{number:03d}.png', raw / 'cat' / f'again{number}.png')
    shutil.copy(raw / 'cat' / '007.png', raw / 'dog' / 'conflict.png')
    manifest, said = quietly(raw, tmp_path / 'out', on_duplicate='keep', seed=seed)
    splits = {}
    for image in manifest.images:
        splits.setdefault(image.sha256, set()).add(image.split)
    assert len(manifest.images) == 31
    assert len(splits) == 24
    assert all(len(found) == 1 for found in splits.values())
    assert 'kept, copies in one split' in said


def test_bad_files_and_copies_are_told_at_once(raw, tmp_path):
    empty_file(raw)
    shutil.copy(raw / 'cat' / '004.png', raw / 'cat' / 'x.png')
    with pytest.raises(DataError, match='1 that training cannot use and 1 that is a copy') \
            as caught:
        quietly(raw, tmp_path / 'out', on_duplicate='fail')
    assert '--on-bad skip --on-duplicate drop' in caught.value.hint


def test_skipping_bad_files_does_not_drop_copies(raw, tmp_path):
    empty_file(raw)
    shutil.copy(raw / 'cat' / '004.png', raw / 'cat' / 'x.png')
    with pytest.raises(DataError, match='copy'):
        quietly(raw, tmp_path / 'out', on_bad='skip', on_duplicate='fail')
    with pytest.raises(DataError, match='cannot use'):
        quietly(raw, tmp_path / 'out', on_duplicate='drop')


def test_names_are_shown_as_they_are_and_on_one_line(raw, tmp_path):
    (raw / 'cat' / '[red]x.png').touch()
    (raw / 'cat' / 'two\nlines.png').touch()
    _, said = quietly(raw, tmp_path / 'out', on_bad='skip')
    assert 'cat/[red]x.png' in said
    assert 'cat/two\\nlines.png' in said


def test_a_long_list_of_problems_is_cut_on_the_screen_and_whole_in_the_manifest(raw, tmp_path):
    for number in range(30):
        (raw / 'cat' / f'zero{number:02d}.png').touch()
    manifest, said = quietly(raw, tmp_path / 'out', on_bad='skip')
    assert '... and 25 more' in said
    assert len(read_manifest(tmp_path / 'out').problems) == len(manifest.problems) == 30


def test_an_empty_class_stops_the_run_or_is_left_out(raw, tmp_path):
    (raw / 'bird').mkdir()
    (raw / 'bird' / '.gitkeep').touch()
    with pytest.raises(DataError, match='cannot use'):
        quietly(raw, tmp_path / 'out')
    manifest, _ = quietly(raw, tmp_path / 'out', on_bad='skip')
    assert manifest.classes == ['cat', 'dog']
    assert ('empty-class', 'bird') in [(item.kind, item.path) for item in manifest.problems]


def test_a_class_that_would_lose_its_last_images_is_never_left_out_silently(raw, tmp_path):
    (raw / 'bird').mkdir()
    (raw / 'bird' / 'x.png').touch()
    with pytest.raises(DataError, match=r'too few usable.*`bird` 0'):
        quietly(raw, tmp_path / 'out', on_bad='skip')


@pytest.mark.parametrize('ratios', [(0.8, 0.2, 0), (0.8, 0.1, 0.1)])
def test_a_class_that_cannot_fill_each_split_is_an_error(raw, tmp_path, ratios):
    options = dict(zip(('train_ratio', 'val_ratio', 'test_ratio'), ratios, strict=True))
    splits = sum(ratio > 0 for ratio in ratios)
    raw_folder(raw, bird=splits - 1)
    with pytest.raises(DataError, match=f'`bird` {splits - 1}'):
        quietly(raw, tmp_path / 'out', **options)
    write_image(raw / 'bird' / 'last.png')
    manifest, _ = quietly(raw, tmp_path / 'out', **options)
    assert set(manifest.counts['bird'].values()) == {1}
    assert [(problem.kind, problem.detail) for problem in manifest.problems] == [
        ('few-images', f'{splits} images')]


def test_copies_count_once_toward_a_class(raw, tmp_path):
    raw_folder(raw, bird=1)
    shutil.copy(raw / 'bird' / '000.png', raw / 'bird' / '001.png')
    with pytest.raises(DataError, match='`bird` 1'):
        quietly(raw, tmp_path / 'out', on_duplicate='keep')


@pytest.mark.parametrize(('first', 'second'), [('Rose', 'rose'), ('caf\u00e9', 'cafe\u0301')])
def test_class_folders_that_differ_only_in_case_are_an_error(raw, tmp_path, first, second):
    raw_folder(raw, **{first: 3, second: 3})
    with pytest.raises(DataError, match='differ only in case'):
        quietly(raw, tmp_path / 'out')


@pytest.mark.parametrize('name', [' cat', 'cat ', 'a\nb', 'a\u2028b', os.fsdecode(b'\xff')])
def test_a_class_name_that_a_list_file_cannot_hold_is_an_error(raw, tmp_path, name):
    (raw / name).mkdir()
    with pytest.raises(DataError, match='a list file cannot hold') as caught:
        quietly(raw, tmp_path / 'out')
    assert 'rename' in caught.value.hint


def test_structures_that_are_no_folder_of_class_folders_are_explained(tmp_path):
    def failing(path):
        with pytest.raises(DataError) as caught:
            quietly(path, tmp_path / 'out')
        return f'{caught.value.message} | {caught.value.hint}'

    raw_folder(tmp_path / 'flowers' / 'flowers', cat=3, dog=3)
    assert f'give that one: {tmp_path / "flowers" / "flowers"}' in failing(tmp_path / 'flowers')
    assert f'did you mean {tmp_path / "flowers"}?' in failing(tmp_path / 'flower')
    assert f'exists is {tmp_path}' in failing(tmp_path / 'qqq' / 'www')
    raw_folder(tmp_path / 'flat', **{'': 3})
    assert 'images, but no class folders' in failing(tmp_path / 'flat')
    raw_folder(tmp_path / 'one', cat=3)
    assert 'only one class, `cat`' in failing(tmp_path / 'one')
    (tmp_path / 'nothing' / '.git').mkdir(parents=True)
    assert 'no class folders' in failing(tmp_path / 'nothing')
    (tmp_path / 'flowers.tar').touch()
    assert 'an archive of one: .zip' in failing(tmp_path / 'flowers.tar')
    raw_folder(tmp_path / 'split' / 'test', cat=3)
    raw_folder(tmp_path / 'split' / 'valid', cat=3)
    assert 'no part is called train' in failing(tmp_path / 'split')
    quietly(tmp_path / 'flowers' / 'flowers', tmp_path / 'done')
    assert 'as the data_root of a config' in failing(tmp_path / 'done')
    raw_folder(tmp_path / 'high' / 'pets', cat=3, dog=3)
    (tmp_path / 'high' / 'documents').mkdir()
    assert f'the classes: {tmp_path / "high" / "pets"}, perhaps' in failing(tmp_path / 'high')
    assert not (tmp_path / 'out').exists()


def test_a_disk_that_is_too_small_is_told_before_anything_is_copied(raw, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage._replace(free=10))
    with pytest.raises(DataError, match=r'the disk of .* has 0 MB'):
        quietly(raw, tmp_path / 'out')


def test_a_missing_system_library_is_explained(raw, tmp_path, monkeypatch):
    import builtins
    real = builtins.__import__

    def without_gl(name, *args, **options):
        if name == 'cv2':
            raise ImportError('libGL.so.1: cannot open shared object file')
        return real(name, *args, **options)
    monkeypatch.setattr(builtins, '__import__', without_gl)
    with pytest.raises(AmlnnError, match=r'libGL\.so\.1') as caught:
        quietly(raw, tmp_path / 'out')
    assert 'apt-get install libgl1' in caught.value.hint
