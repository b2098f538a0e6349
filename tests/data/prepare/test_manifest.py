"""The manifest and its hash."""

import dataclasses
import hashlib
import json

import pytest

from amlnn.data.prepare.manifest import (
    ImageRecord,
    Manifest,
    Problem,
    images_hash,
    manifest_hash,
    read_manifest,
    write_manifest,
)
from amlnn.errors import DataError

IMAGES = [ImageRecord('val', 'rose', 'rose/b ü.jpg', 'f' * 64, 12, 20, 10),
          ImageRecord('train', 'rose', 'rose/a.jpg', '0' * 64, 34, 20, 10)]


@pytest.fixture
def manifest():
    return Manifest(
        hash=images_hash(IMAGES), seed=3, ratios={'train': 0.5, 'val': 0.5, 'test': 0.0},
        on_bad='fail', on_duplicate='keep', versions={'amlnn': '1'}, classes=['rose'],
        counts={'rose': {'train': 1, 'val': 1}}, source_images=3, images=IMAGES,
        problems=[Problem('tiny', 'rose/c "quoted".jpg', '1 x 1 pixels', 'left out')])


def test_the_hash_is_sha256_of_the_sorted_rows_as_compact_json():
    text = ('[["train","rose","rose/a.jpg","' + '0' * 64 + '"],'
            '["val","rose","rose/b ü.jpg","' + 'f' * 64 + '"]]')
    assert images_hash(IMAGES) == hashlib.sha256(text.encode('utf-8')).hexdigest()
    assert images_hash(reversed(IMAGES)) == images_hash(IMAGES)


@pytest.mark.parametrize('change', [{'split': 'test'}, {'class_name': 'x'}, {'file': 'rose/x.jpg'},
                                    {'sha256': '1' * 64}])
def test_the_hash_sees_every_part_that_counts(change):
    assert images_hash([dataclasses.replace(IMAGES[0], **change), IMAGES[1]]) != images_hash(IMAGES)


def test_what_is_written_is_read_back(tmp_path, manifest):
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert manifest_hash(tmp_path) == manifest_hash(str(tmp_path)) == manifest.hash
    assert json.loads((tmp_path / 'manifest.json').read_text('utf-8')) == \
        dataclasses.asdict(manifest)


def test_a_manifest_without_problems_is_read_back_too(tmp_path, manifest):
    manifest.problems = []
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_a_folder_without_a_manifest_has_no_hash(tmp_path):
    assert manifest_hash(tmp_path) is None
    assert manifest_hash(tmp_path / 'absent') is None
    with pytest.raises(DataError, match='no manifest'):
        read_manifest(tmp_path)


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('rose/a.jpg', 'rose/z.jpg', 'changed by hand'),
    ('"schema_version": 2', '"schema_version": 99', 'schema version 99'),
    ('"seed": 3,', '', 'not complete'),
    ('"seed": 3', '"seed": 3, "sed": 4', 'not complete'),
    ('{', '', 'cannot be read'),
])
def test_a_damaged_manifest_is_an_error_and_not_no_manifest(tmp_path, manifest, old, new, message):
    write_manifest(tmp_path, manifest)
    path = tmp_path / 'manifest.json'
    text = path.read_text('utf-8')
    assert old in text
    path.write_text(text.replace(old, new), 'utf-8')
    for reader in (manifest_hash, read_manifest):
        with pytest.raises(DataError, match=message) as caught:
            reader(tmp_path)
        assert 'data_preprocess.py' in caught.value.hint


@pytest.mark.parametrize(('key', 'value', 'said'), [
    ('classes', 3, '`classes` is'), ('classes', [1], '`classes` is'), ('images', [3], '`images`'),
    ('classes', ['tulip'], 'no class `rose`'), ('seed', 'a', '`seed` is'),
    ('problems', {}, 'list')])
def test_values_of_another_kind_are_refused_by_their_key(tmp_path, manifest, key, value, said):
    write_manifest(tmp_path, manifest)
    values = json.loads((tmp_path / 'manifest.json').read_text('utf-8'))
    (tmp_path / 'manifest.json').write_text(json.dumps({**values, key: value}))
    with pytest.raises(DataError, match=said):
        read_manifest(tmp_path)


def test_a_manifest_nested_too_deeply_is_refused(tmp_path):
    (tmp_path / 'manifest.json').write_text('[' * 100_000)
    with pytest.raises(DataError, match='nested too deeply'):
        read_manifest(tmp_path)
