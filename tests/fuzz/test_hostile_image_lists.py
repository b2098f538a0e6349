"""classes.txt and lists of images as nobody should write them: a data set opens or is refused."""

import hashlib
import json

import pytest
from fuzzing import Tally, fuzz
from hostile_values import ODD_TEXT
from hypothesis import strategies as st
from PIL import Image

from amlnn.data.images.folder import ImageNetFolder
from amlnn.data.images.layout import data_hash
from amlnn.data.images.listed import check_apart, check_listed
from amlnn.data.images.views import ViewDataset
from amlnn.data.prepare.integrity import check_files
from amlnn.data.prepare.manifest import ImageRecord, images_hash

pytestmark = pytest.mark.slow

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
LINES = st.one_of(ODD_TEXT, st.sampled_from([
    'cat/1.png 0', 'dog/1.png 1', 'cat/1.png 1', 'cat/1.png', '0', ' 0', '/ 0', '. 0', '.. 0',
    '../cat/1.png 0',
    'cat 0', 'cat/ 0', 'cat/../cat/1.png 0', 'cat//1.png 0', './cat/1.png 0', 'cat\\1.png 0',
    '/etc/passwd 0',
    'cat/1.png -1', 'cat/1.png 2', 'cat/1.png 1e3', 'cat/1.png ²', 'cat/1.png \u0660',
    'cat/1.png ' + '9' * 5000,
    'cat/1.png 00', 'cat/1.png 0 ', 'cat/1.png\t0', 'cat/\0.png 0', 'cat/' + 'a' * 5000 + ' 0',
    '\ufeffcat/1.png 0',
    'cat/1.png 0\x85dog/1.png 1', 'cat/1.png 0\u2028', 'cat/1.png\x0c0', 'http://a/1.png 0',
    's3://a 0',
    'cat/empty.png 0', 'cat/text.png 0', 'cat/folder 0', 'cat/link.png 0']))
CLASSES = st.one_of(ODD_TEXT, st.sampled_from(['cat', 'dog', 'Cat', 'cat ', ' cat', 'a/b', '..',
                                               '.', '', '\ufeffcat']))
DIRT = st.one_of(st.binary(max_size=4), st.sampled_from([
    b'\0', b'\xff', b'\xef\xbb\xbf', b'\xff\xfe', b'\r', b'\n', b'\x85', b'\xe2\x80\xa8',
    b'\xed\xa0\x80', b'\x1a',
    b' ', b'\t', b'a' * 100_000]))


@st.composite
def texts(draw, lines, usual):
    """A file that is right but for a line, or wrong from beginning to end, or not text."""
    found = list(usual) if draw(st.booleans()) else draw(st.lists(lines, max_size=4))
    for _ in range(draw(st.integers(0, 2))):
        found.insert(draw(st.integers(0, len(found))), draw(lines))
    content = draw(st.sampled_from(['\n', '\n', '\r\n', '\r'])).join(found).encode(
        draw(st.sampled_from(['utf-8', 'utf-8', 'utf-8', 'utf-8-sig', 'utf-16', 'cp1252'])),
        'replace')
    for _ in range(draw(st.sampled_from([0, 0, 1]))):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(DIRT) + content[at:]
    return content


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / 'set'
    for part in ('training_set', 'val_set'):
        for name, colour in (('cat', part == 'val_set'), ('dog', 90)):
            (folder / part / name).mkdir(parents=True)
            Image.new('RGB', (4, 4), (int(colour), 9, 9)).save(folder / part / name / '1.png')
    (folder / 'training_set/cat/empty.png').touch()
    (folder / 'training_set/cat/text.png').write_text('no picture')
    (folder / 'training_set/cat/folder').mkdir()
    (folder / 'training_set/cat/link.png').symlink_to('link.png')
    return folder


def opened(root):
    """Open both parts as training does."""
    parts = {}
    for split in ('train', 'val'):
        parts[split] = ViewDataset(ImageNetFolder(str(root), split, pipeline=PIPELINE))
        check_listed(parts[split], split)
    check_apart(parts)
    data_hash(dict(type='ImageNetFolder', data_root=str(root)))
    ImageNetFolder(str(root), 'train', pipeline=PIPELINE, subset=2)


def test_any_classes_and_lists(root):
    tally = Tally()
    usual = ['cat/1.png 0', 'dog/1.png 1']

    def look(drawn):
        classes, train, val = drawn
        for name, content in zip(('classes', 'train', 'val'), drawn, strict=True):
            (root / f'{name}.txt').write_bytes(content)
        tally.count(lambda: opened(root), f'{classes[:300]!r} {train[:600]!r} {val[:300]!r}')

    right = st.just('\n'.join(usual).encode())
    cases = fuzz(st.one_of(
        st.tuples(texts(CLASSES, ['cat', 'dog']), right, right),
        st.tuples(st.just(b'cat\ndog\n'), texts(LINES, usual), right),
        st.tuples(texts(CLASSES, ['cat', 'dog']), texts(LINES, usual), texts(LINES, usual))), 2500,
        look)
    tally.check(cases)


KEYS = ['hash', 'seed', 'ratios', 'on_bad', 'versions', 'classes', 'counts', 'problems', 'images',
        'schema_version']
JSON = st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ODD_TEXT,
                              st.just(10**400)),
                    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
                        st.one_of(ODD_TEXT, st.sampled_from(KEYS)), inner, max_size=3)),
                        max_leaves=6)


def named(image):
    """The image of a manifest, with the hash that it then has."""
    try:
        return dict(images=[image], hash=images_hash([ImageRecord(**image)]))
    except ValueError:  # half a letter has no bytes
        return dict(images=[image])


def test_any_manifest_of_a_data_set(root):
    tally = Tally()
    content = (root / 'training_set/cat/1.png').read_bytes()
    image = dict(split='train', class_name='cat', file='cat/1.png', bytes=len(content), width=4,
                 sha256=hashlib.sha256(content).hexdigest(), height=4)
    (root / 'train.txt').write_text('cat/1.png 0\n')
    usual = dict(
        hash=images_hash([ImageRecord(**image)]), seed=0, ratios={}, on_bad='fail',
        on_duplicate='fail', versions={}, classes=['cat'], counts={}, source_images=1,
        schema_version=2, problems=[], images=[image])
    torn = st.sampled_from(['', '[' * 100_000, '{"a":' * 100_000, '\0', '{}', 'NaN', '9' * 5000,
                            '{"schema_version": 2}'])
    text = st.one_of(st.just(json.dumps(usual)), torn, JSON.map(json.dumps),
                     st.tuples(st.sampled_from(KEYS),
                               JSON).map(lambda pair: json.dumps(usual | {pair[0]: pair[1]})),
                     st.tuples(st.sampled_from(list(image)), JSON).map(
                         lambda pair: json.dumps(usual | named(image | {pair[0]: pair[1]}))))

    def look(content):
        (root / 'manifest.json').write_text(content, encoding='utf-8', errors='surrogatepass')
        tally.count(lambda: check_files(root, 'train'), content)

    cases = fuzz(text, 400, look)
    tally.check(cases)
