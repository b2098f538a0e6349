"""From what was found to a page and a table, and from the table to a data set."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from planted_images import photograph
from raw_folders import quietly, raw_folder, tree, write_image
from rich.console import Console
from test_page import Page

from amlnn.doctor import examine as examining
from amlnn.doctor.examine import examine
from amlnn.doctor.features import ImageFeatures
from amlnn.doctor.files import look_at_files
from amlnn.doctor.findings import REASONS, find_all, table_text
from amlnn.doctor.labels import judge_labels
from amlnn.doctor.page import TABLE, print_examination, write_examination
from amlnn.errors import DataError

QUIET = Console(stderr=True)


@pytest.fixture
def planted(tmp_path):
    """Three kinds of photographs by colour, with one of everything wrong among them."""
    generator = np.random.default_rng(0)
    root = tmp_path / 'raw'
    for label, name in enumerate(('blue', 'green', 'red')):
        (root / name).mkdir(parents=True)
        for number in range(20):
            pixels = photograph(generator, (48, 40)) // 2
            pixels[..., 2 - label] += 100
            Image.fromarray(pixels).save(root / name / f'{number:02d}.png')
    (root / 'blue/07.png').rename(root / 'red/wrong.png')
    (root / 'red/broken.png').write_bytes(b'no image')
    Image.open(root / 'green/03.png').save(root / 'green/again.png', compress_level=1)
    Image.open(root / 'red/05.png').save(root / 'red/near.jpg', quality=70)
    return root


def colours(files, config, device, on_batch):
    """In the place of a backbone's features: mean colours, and noise of each image's own."""
    rows = []
    for image in files.images:
        pixels = np.asarray(Image.open(image.source).convert('RGB'), np.float32)
        few = pixels[::8, ::8].mean(2).flat
        rows.append([*pixels.mean((0, 1)), *pixels.std((0, 1)), *few][:18])
    on_batch(len(rows), len(rows))
    return ImageFeatures(np.array(rows, np.float32), len(rows), ['by colour'])


@pytest.fixture
def examined(planted, monkeypatch):
    monkeypatch.setattr(examining, 'compute_features', colours)
    return examine(planted, QUIET)


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_each_image_has_the_reason_that_was_planted_and_what_to_do(examined):
    found = {each.id: each for each in examined.findings}
    assert found['red/broken.png'].reason == 'damaged'
    assert found['green/again.png'].reason == 'same-image' or \
        found['green/03.png'].reason == 'same-image'
    near = found.get('red/near.jpg') or found['red/05.png']
    assert near.reason == 'near-duplicate' and near.suggestion == '' and not near.apart
    wrong = found['red/wrong.png']
    assert (wrong.label, wrong.suggestion, wrong.reason) == ('red', 'blue', 'mislabelled')
    assert 0.5 < wrong.score <= 1
    assert len(found) == len(examined.findings) == 4
    assert all(each.reason in REASONS for each in found.values())


def test_the_table_has_a_row_a_finding_and_prepares_the_data_set(examined, planted, tmp_path):
    rows = rows_of(table_text(examined.findings))
    assert list(rows[0]) == ['id', 'label', 'suggestion', 'reason', 'score']
    assert [row['id'] for row in rows] == [each.id for each in examined.findings]
    page = write_examination(examined, tmp_path / 'out')
    before = tree(planted)
    manifest, _ = quietly(planted, tmp_path / 'set', val_ratio=0, train_ratio=1,
                          fixes=page.parent / TABLE)
    assert tree(planted) == before
    assert manifest.counts == {name: {'train': 20} for name in ('blue', 'green', 'red')}
    files = {image.file: image.class_name for image in manifest.images}
    assert files['blue/wrong.png'] == 'blue'


def test_a_row_that_was_deleted_or_changed_does_what_it_says(examined, planted, tmp_path):
    page = write_examination(examined, tmp_path / 'out')
    rows = rows_of((page.parent / TABLE).read_text())
    kept = [row for row in rows if row['reason'] in ('damaged', 'mislabelled')]
    for row in kept:
        if row['reason'] == 'mislabelled':
            row['suggestion'] = 'green'
    with open(tmp_path / 'mine.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    manifest, _ = quietly(planted, tmp_path / 'set', val_ratio=0, train_ratio=1, on_bad='fail',
                          on_duplicate='keep', fixes=tmp_path / 'mine.csv')
    assert sum(row['train'] for row in manifest.counts.values()) == 62
    assert any(image.file == 'green/wrong.png' for image in manifest.images)


def test_the_page_is_whole_needs_nothing_else_and_shows_each_finding(examined, tmp_path):
    write_examination(examined, tmp_path / 'out')
    text = (tmp_path / 'out/index.html').read_text()
    page = Page(text)
    shown = {image['alt'] for image in page.images}
    assert {each.id for each in examined.findings if each.reason != 'damaged'} <= shown
    assert all(image['src'].startswith('data:image/jpeg;base64,') for image in page.images)
    assert not re.search(r'(src|href)="(?!#|data:)', text)
    for said in ('red/broken.png', 'not an image', '--fixes', 'Suspect labels: 1', 'by colour',
                 'Shortcuts', 'brightness'):
        assert said in page.text, said
    assert len(set(page.ids)) == len(page.ids)
    assert all(link[1:] in page.ids for link in page.links)


def test_names_are_escaped_on_the_page(tmp_path, monkeypatch):
    root = raw_folder(tmp_path / 'raw', **{'<b>cat': 12, 'dog&': 12})
    write_image(root / 'dog&' / '<script>.png', ('<b>cat', '000.png'))
    monkeypatch.setattr(examining, 'compute_features', colours)
    write_examination(examine(root, QUIET), tmp_path / 'out')
    text = (tmp_path / 'out/index.html').read_text()
    assert '<script>' not in text and '&lt;script&gt;' in text
    Page(text)


def test_a_table_that_somebody_went_through_is_never_replaced(examined, tmp_path):
    page = write_examination(examined, tmp_path / 'out')
    (page.parent / 'notes.txt').write_text('mine')
    write_examination(examined, tmp_path / 'out')
    assert (page.parent / 'notes.txt').read_text() == 'mine'
    with open(page.parent / TABLE, 'a') as file:
        file.write('more\n')
    before = tree(page.parent)
    with pytest.raises(DataError, match='was edited') as caught:
        write_examination(examined, tmp_path / 'out')
    assert '--out' in caught.value.hint and tree(page.parent) == before


def test_a_folder_of_other_things_is_never_replaced(examined, tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/thesis.txt').write_text('years')
    with pytest.raises(DataError, match='holds no earlier findings'):
        write_examination(examined, tmp_path / 'mine')
    with pytest.raises(DataError, match='is a file'):
        write_examination(examined, tmp_path / 'mine/thesis.txt')
    assert tree(tmp_path / 'mine').keys() == {'thesis.txt'}


def test_what_is_printed_names_suspects_counts_and_the_next_step(examined, tmp_path):
    out = io.StringIO()
    print_examination(examined, tmp_path / 'out/index.html', Console(file=out, width=200))
    said = out.getvalue()
    assert re.search(r'red/wrong\.png\W+red\W+blue\W+\d+ %', said)
    assert re.search(r'mislabelled\W+most likely of another class\W+1\b', said)
    for words in ('by colour', f'{tmp_path}/out/fixes.csv', '62 images', 'shortcut: brightness'):
        assert words in said, words


def test_the_files_are_what_check_finds_in_a_prepared_data_set_too(tmp_path):
    raw = raw_folder(tmp_path / 'raw', cat=12, dog=12)
    write_image(raw / 'cat/same.png', ('cat', '004.png'))
    write_image(raw / 'dog/same.png', ('cat', '005.png'))
    quietly(raw, tmp_path / 'set', on_duplicate='keep')
    for root, prepared in ((raw, False), (tmp_path / 'set', True)):
        files = look_at_files(root, QUIET)
        assert files.prepared == prepared and len(files.images) == 26 and files.damaged == {}
        names = [{files.images[place].path.rpartition('/')[2] for place in group}
                 for group in files.copies]
        assert sorted(map(sorted, names)) == [['004.png', 'same.png'], ['005.png', 'same.png']]
        kinds = {problem.kind for problem in files.problems}
        assert {'copy', 'label-conflict'} <= kinds or {'part-copy'} <= kinds


def test_of_copies_with_several_labels_the_one_stays_that_fits_best(tmp_path):
    root = raw_folder(tmp_path / 'raw', cat=30, dog=30)
    write_image(root / 'cat/same.png', ('dog', '005.png'))
    files = look_at_files(root, QUIET)
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(61, 12)).astype(np.float32)
    labels = np.array([image.class_name == 'dog' for image in files.images], np.int64)
    rows[:, 0] += 6 * labels
    place = {image.path: number for number, image in enumerate(files.images)}
    rows[place['cat/same.png']] = rows[place['dog/005.png']]
    for label, gone in ((1, 'cat/same.png'), (0, 'dog/005.png')):
        changed = rows.copy()
        changed[place['cat/same.png'], 0] = changed[place['dog/005.png'], 0] = 6 * label
        judged = judge_labels(changed, labels, 2, files.copies)
        found, = [each for each in find_all(files, judged) if each.reason == 'same-image']
        assert (found.id, found.suggestion, found.apart) == (gone, '', True)


def test_of_copies_in_several_parts_the_one_stays_that_a_model_is_judged_by(tmp_path):
    for part in ('train', 'val', 'test'):
        for name in ('cat', 'dog'):
            for number in range(10):
                write_image(tmp_path / f'raw/{part}/{name}/{number}.png', (part, name, number))
    for part in ('train', 'val'):
        write_image(tmp_path / f'raw/{part}/cat/same.png', ('test', 'cat', 0))
    files = look_at_files(tmp_path / 'raw', QUIET)
    rows = np.random.default_rng(0).normal(size=(62, 30)).astype(np.float32)
    labels = np.array([image.class_name == 'dog' for image in files.images], np.int64)
    judged = judge_labels(rows, labels, 2, files.copies)
    found = [each for each in find_all(files, judged) if each.reason == 'same-image']
    assert {each.id for each in found} == {'train/cat/same.png', 'val/cat/same.png'}
    assert all(each.apart and each.other == 'test/cat/0.png' for each in found)


def test_an_image_has_one_row_and_the_first_reason_that_fits(examined):
    files = examined.files
    place = next(number for number, image in enumerate(files.images)
                 if image.path == 'red/wrong.png')
    outlier = np.zeros(len(files.images), bool)
    outlier[[place, 0]] = True
    found = find_all(files, replace(examined.judged, outlier=outlier))
    reasons = {each.id: each.reason for each in found}
    assert reasons['red/wrong.png'] == 'mislabelled'
    assert reasons[files.images[0].path] == 'outlier'
    assert len(reasons) == len(found)


@pytest.mark.parametrize(('make', 'said'), [
    (lambda root: root.mkdir(), 'holds no class folders'),
    (lambda root: root.write_text('a'), 'is a file'),
    (lambda root: None, 'no folder'),
    (lambda root: raw_folder(root, cat=12), 'only one class'),
    (lambda root: (raw_folder(root, cat=3), (root / 'dog').mkdir()), 'only 1 class')])
def test_what_is_no_folder_of_classes_is_refused_in_two_lines(tmp_path, make, said):
    make(tmp_path / 'raw')
    with pytest.raises(DataError, match=said) as caught:
        look_at_files(tmp_path / 'raw', QUIET)
    assert caught.value.hint


def test_a_class_with_one_image_and_damaged_ones_stop_nothing(tmp_path, monkeypatch):
    root = raw_folder(tmp_path / 'raw', cat=12, dog=12, emu=1)
    for name in ('cat', 'dog'):
        (root / name / 'broken.jpg').write_bytes((root / 'cat/000.png').read_bytes()[:200])
    monkeypatch.setattr(examining, 'compute_features', colours)
    examined = examine(root, QUIET)
    assert {each.id for each in examined.findings if each.reason == 'damaged'} == {
        'cat/broken.jpg', 'dog/broken.jpg'}
    assert not any(each.label == 'emu' for each in examined.findings)
    page = write_examination(examined, tmp_path / 'out')
    assert 'a class with very few images' in page.read_text()
