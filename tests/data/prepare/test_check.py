"""What `--check` finds in folders, that preparing finds the same, and that nothing is written."""

import io
import json
import shutil
import time
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from planted_images import CLASSES, KINDS, Planter, photograph, plant_all
from raw_folders import quietly, raw_folder, tree, write_image
from rich.console import Console

from amlnn.commands.preprocess import main, parser
from amlnn.data.prepare.check import check
from amlnn.data.prepare.digits import write_digits
from amlnn.data.prepare.inspect import RawFile, read_images
from amlnn.data.prepare.kinds import KINDS as WORDS
from amlnn.data.prepare.near_copies import find_near_copies
from amlnn.errors import DataError, UsageError


def look(source, **options):
    """What check finds, and whether preparing would stop."""
    out = io.StringIO()
    try:
        check(source, as_json=True, console=Console(file=out, width=200), **options)
        stopped = False
    except DataError:
        stopped = True
    return [json.loads(line) for line in out.getvalue().splitlines()], stopped


def kinds(found):
    return Counter(row['kind'] for row in found)


@pytest.mark.parametrize('seed', [11, 12])
def test_all_that_is_planted_is_found_and_nothing_else(tmp_path, seed):
    planted = plant_all(tmp_path / 'raw', seed)
    assert len(planted) == len(KINDS)
    before = tree(tmp_path / 'raw')
    found, stopped = look(tmp_path / 'raw')
    assert kinds(found) == planted
    assert stopped
    assert {row['kind'] for row in found if row['refused']} == {
        'large', 'damaged', 'constant', 'depth'}
    assert tree(tmp_path / 'raw') == before


@pytest.mark.slow
@pytest.mark.parametrize('seed', [21, 22])
def test_all_that_is_planted_in_a_large_folder_is_found_and_nothing_else(tmp_path, seed):
    planter = Planter(tmp_path / 'raw', seed, clean=500)
    for kind in KINDS:
        planter.plant(kind, int(planter.generator.integers(10, 26)))
    planter.plant('imbalance', 2)
    found, _ = look(tmp_path / 'raw')
    assert kinds(found) == planter.expected


def test_preparing_reports_what_check_reports(tmp_path):
    planted = plant_all(tmp_path / 'raw', 13)
    ways = dict(on_bad='skip', on_loss='convert')
    found, stopped = look(tmp_path / 'raw', **ways)
    assert not stopped
    manifest, said = quietly(tmp_path / 'raw', tmp_path / 'out', **ways)
    assert [(item.kind, item.path, item.detail, item.action) for item in manifest.problems] == [
        (row['kind'], row['path'], row['detail'], row['action']) for row in found]
    assert kinds(found) == planted
    assert all(WORDS[kind] in said for kind in planted)
    with pytest.raises(DataError, match='training cannot use'):
        quietly(tmp_path / 'raw', tmp_path / 'again')


def test_a_clean_folder_ends_with_status_0_and_the_prepared_one_too(tmp_path, capsys):
    Planter(tmp_path / 'raw', 3, clean=12)
    quietly(tmp_path / 'raw', tmp_path / 'out')
    before = tree(tmp_path)
    for folder in ('raw', 'out'):
        main(parser().parse_args(['--check', str(tmp_path / folder)]))
        assert '36 files inspected, nothing found' in capsys.readouterr().out
    assert tree(tmp_path) == before


def test_the_digits_of_the_quickstart_are_clean(tmp_path):
    write_digits(tmp_path)
    for folder in ('digits_0_to_4', 'digits_5_to_9'):
        assert look(tmp_path / folder) == ([], False)


@pytest.mark.parametrize('words', [['raw'], ['raw', 'out'], ['--overwrite'],
                                   ['--download', 'etth1'], ['--to', 'x']])
def test_check_takes_nothing_that_writes(tmp_path, words):
    raw_folder(tmp_path / 'raw', cat=12, dog=12)
    with pytest.raises(UsageError, match='writes nothing') as caught:
        main(parser().parse_args(['--check', str(tmp_path / 'raw'), *words]))
    assert 'data_preprocess.py --check' in caught.value.hint
    with pytest.raises(UsageError, match='--json is an option of --check'):
        main(parser().parse_args(['a', 'b', '--json']))


def test_every_layout_that_preparing_takes_is_checked(tmp_path):
    planter = Planter(tmp_path / 'raw', 4, clean=12)
    planter.plant('turned', 2)
    expected = Counter({'turned': 2})
    archive = shutil.make_archive(str(tmp_path / 'packed'), 'zip', tmp_path, 'raw')
    assert kinds(look(archive)[0]) == expected
    for part in ('train', 'val'):
        (tmp_path / 'parts' / part).mkdir(parents=True)
    shutil.copytree(tmp_path / 'raw', tmp_path / 'parts' / 'train', dirs_exist_ok=True)
    Planter(tmp_path / 'parts' / 'val', 5, clean=12)
    assert kinds(look(tmp_path / 'parts')[0]) == expected
    (tmp_path / 'deep').mkdir()
    shutil.copytree(tmp_path / 'raw', tmp_path / 'deep' / 'trees')
    shutil.copytree(tmp_path / 'parts' / 'val', tmp_path / 'deep' / 'others')
    assert kinds(look(tmp_path / 'deep', nested='top')[0]) == expected
    rows = [f'{path.relative_to(tmp_path / "raw")},{path.parent.name}'
            for path in sorted((tmp_path / 'raw').rglob('*.jpg'))]
    (tmp_path / 'labels.csv').write_text('\n'.join(['image,label', *rows]))
    assert kinds(look(tmp_path / 'raw', labels=tmp_path / 'labels.csv')[0]) == expected


def test_a_larger_limit_reads_larger_images_and_a_lower_one_refuses_more(tmp_path):
    raw_folder(tmp_path / 'raw', cat=12, dog=12)
    write_image(tmp_path / 'raw' / 'cat' / 'x.png', size=(40, 30))
    assert look(tmp_path / 'raw', pixel_limit=1200) == ([], False)
    found, stopped = look(tmp_path / 'raw', pixel_limit=1199)
    assert [(row['kind'], row['path'], row['detail']) for row in found] == [
        ('large', 'cat/x.png', '40 x 30 pixels')] and stopped
    for limit in (0, 10 ** 9):
        with pytest.raises(UsageError, match='--pixel-limit'):
            check(tmp_path / 'raw', pixel_limit=limit)


@pytest.mark.parametrize('seed', range(5))
def test_near_copies_never_lie_in_two_splits(tmp_path, seed):
    planter = Planter(tmp_path / 'raw', seed, clean=12)
    planter.plant('near-copy', 8)
    planter.plant('near-conflict', 4)
    for ways in ({}, {'group_by': '([0-9]+)'}, {'on_duplicate': 'keep'}):
        manifest, said = quietly(tmp_path / 'raw', tmp_path / 'out', seed=seed, val_ratio=0.5,
                                 train_ratio=0.5, overwrite=True, **ways)
        splits = {}
        for image in manifest.images:
            name = image.file.partition('/')[2].partition('.')[0].removesuffix('-again')
            if not name.isdigit():
                splits.setdefault(name, []).append(image.split)
        assert len(splits) == 12
        assert all(len(found) == 2 and len(set(found)) == 1 for found in splits.values())
        assert 'kept, together in one split' in said
    with pytest.raises(DataError, match='16 that are nearly copies'):
        quietly(tmp_path / 'raw', tmp_path / 'other', on_duplicate='fail')


def test_near_copies_that_leave_a_split_empty_are_divided_and_named(tmp_path):
    planter = Planter(tmp_path / 'raw', 6, clean=12)
    (tmp_path / 'raw' / 'few').mkdir()
    planter.copies('few', 1, tmp_path / 'raw' / 'few', tmp_path / 'raw' / 'few')
    manifest, _ = quietly(tmp_path / 'raw', tmp_path / 'out')
    assert manifest.counts['few'] == {'train': 1, 'val': 1}
    assert [(item.kind, item.action) for item in manifest.problems
            if item.kind != 'few-images'] == [('near-copy', 'kept, in several splits')]


def test_near_copies_in_the_parts_of_a_source_are_named(tmp_path):
    for part, seed in (('train', 7), ('test', 8)):
        planter = Planter(tmp_path / 'raw' / part, seed, clean=12)
    planter.copies('leak', 0, tmp_path / 'raw' / 'test' / 'ash', tmp_path / 'raw' / 'train' / 'ash')
    found, stopped = look(tmp_path / 'raw')
    assert [(row['kind'], row['path'], row['detail'], row['action']) for row in found] == [
        ('near-part-copy', 'train/ash/leak-000-again.jpg',
         'nearly the same as test/ash/leak-000.jpg', 'kept, in several parts')]
    assert not stopped


def test_a_prepared_data_set_that_leaks_or_was_changed_is_refused(tmp_path):
    Planter(tmp_path / 'raw', 9, clean=12)
    quietly(tmp_path / 'raw', tmp_path / 'out')
    one, *others = sorted((tmp_path / 'out' / 'training_set' / 'ash').iterdir())
    shutil.copy(one, tmp_path / 'out' / 'val_set' / 'ash' / 'leak.jpg')
    found, stopped = look(tmp_path / 'out')
    assert stopped
    assert {(row['kind'], row['path']) for row in found} == {
        ('part-copy', f'training_set/ash/{one.name}'), ('unlisted', 'val_set/ash/leak.jpg')}
    (tmp_path / 'out' / 'val_set' / 'ash' / 'leak.jpg').unlink()
    with Image.open(others[0]) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(others[0])
    lines = (tmp_path / 'out' / 'val.txt').read_text().splitlines()
    lines[0] = lines[0].rpartition(' ')[0] + ' 2'
    (tmp_path / 'out' / 'val.txt').write_text('\n'.join([*lines, 'ash/none.jpg 0', lines[1]]))
    found, stopped = look(tmp_path / 'out')
    assert stopped
    assert {(row['kind'], row['path']) for row in found} == {
        ('changed', f'training_set/ash/{others[0].name}'),
        ('list-label', 'val_set/' + lines[0].rpartition(' ')[0]),
        ('no-file', 'val_set/ash/none.jpg'),
        ('row-twice', 'val_set/' + lines[1].rpartition(' ')[0])}


def near(tmp_path, images):
    files = []
    for number, pixels in enumerate(images):
        path = tmp_path / f'{number}.png'
        cv2.imwrite(str(path), pixels)
        files.append(RawFile(f'a/{number}.png', path))
    read, problems = read_images(files, Console(file=io.StringIO()))
    assert not problems
    groups = find_near_copies(read, Console(file=io.StringIO()))
    return [[int(image.path[2:-4]) for image in group] for group in groups]


def test_what_only_resembles_an_image_is_no_near_copy_of_it(tmp_path):
    generator = np.random.default_rng(5)
    for number in range(5):
        whole = photograph(generator, (260, 200))
        text = whole.copy()
        cv2.putText(text, 'SOLD', (60, 120), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 6)
        moved, lighter = whole[12:, 12:], np.clip(whole.astype(int) + 25, 0, 255)
        folder = tmp_path / str(number)
        folder.mkdir()
        assert near(folder, [whole, text, moved, lighter.astype(np.uint8), whole[:, ::-1]]) == []


def test_near_copies_of_near_copies_are_one_group_and_so_are_grey_versions(tmp_path):
    generator = np.random.default_rng(6)
    whole, other = photograph(generator, (260, 200)), photograph(generator, (260, 200))
    again = [cv2.imdecode(cv2.imencode('.jpg', whole, [1, quality])[1], 1)
             for quality in (80, 50, 20)]
    grey = cv2.cvtColor(cv2.cvtColor(other, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert near(tmp_path, [whole, other, *again, grey]) == [[0, 2, 3, 4], [1, 5]]


@pytest.mark.parametrize('spoil', ['bits', 'zeros', 'cut'])
def test_damage_that_libjpeg_notices_is_refused_and_harmless_filling_is_not(tmp_path, spoil):
    planter, generator = Planter(tmp_path / 'raw', 10, clean=12), np.random.default_rng(1)
    path = planter.root / 'ash' / '0003.jpg'
    whole, hurt = path.read_bytes(), 0
    for _ in range(20):
        data = bytearray(whole)
        place = int(generator.integers(len(data) // 2, len(data) * 3 // 4))
        if spoil == 'bits':
            data[place:place + 60] = generator.integers(0, 255, 60, dtype=np.uint8).tobytes()
        elif spoil == 'zeros':
            data[place:place + 60] = bytes(60)
        else:
            data[place:-2] = b''
        path.write_bytes(data)
        read, problems = read_images([RawFile('a/b.jpg', path)], Console(file=io.StringIO()))
        hurt += [problem.kind for problem in problems] == ['damaged']
        assert len(read) + len(problems) == 1
    assert hurt >= {'bits': 10, 'zeros': 10, 'cut': 20}[spoil]  # others leave libjpeg in step
    path.write_bytes(whole[:-2] + bytes(9) + whole[-2:])
    assert kinds(look(tmp_path / 'raw')[0]) == {'trailing': 1}


@pytest.mark.slow
@pytest.mark.parametrize('spread', ['of all sorts', 'equally light', 'all alike'])
def test_a_hundred_thousand_images_are_compared_in_bounded_time(tmp_path, spread):
    generator = np.random.default_rng(2)
    path = tmp_path / 'one.png'
    cv2.imwrite(str(path), photograph(generator))
    (image,), _ = read_images([RawFile('a/one.png', path)], Console(file=io.StringIO()))
    big = photograph(generator, (2048, 2048))[..., 0].astype(np.float32)
    images = []
    for number in range(100_000):
        top, left = (0, 0) if spread == 'all alike' else generator.integers(0, 2032, 2)
        small = big[top:top + 16, left:left + 16]
        if spread == 'equally light':
            small = small - small.mean() + 128
        elif spread == 'all alike':
            small = small + generator.normal(0, 1.5, small.shape)
        images.append(replace(image, path=f'a/{number:06d}.png', pixels=str(number),
                              small=np.clip(small, 0, 255).astype(np.uint8).tobytes()))
    begin = time.process_time()
    groups = find_near_copies(images, Console(file=io.StringIO()))
    assert time.process_time() - begin < 120
    assert (len(groups) == 1 and len(groups[0]) == 100_000) == (spread == 'all alike')


def test_the_planted_photographs_are_many_and_each_is_different(tmp_path):
    planter = Planter(tmp_path / 'raw', 1, clean=4)
    files = sorted(planter.root.rglob('*.jpg'))
    assert len({path.read_bytes() for path in files}) == len(files) == 4 * len(CLASSES)
