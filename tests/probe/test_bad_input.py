"""Probe and doctor on folders that are odd, and after what came between: two lines, or it works."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from generated import write_colour_folders, write_data_set, write_small_config
from PIL import Image

from amlnn.engine.images.feature_pass import FeaturePass


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch, own_user_cache):
    """Chooses the cache of features, 'first' before anything else is said."""
    def choose(name: str) -> None:
        monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / name))

    choose('first')
    return choose


@pytest.fixture
def root(tmp_path) -> Path:
    """A prepared data set of four classes, 8 training, 4 validation and 2 test images of each."""
    return write_data_set(tmp_path / 'data')


@pytest.fixture
def raw(tmp_path) -> Path:
    """Three class folders of 14 images, a colour each."""
    return write_colour_folders(tmp_path / 'raw')


@pytest.fixture
def probe(run_tool, tmp_path):
    """Runs the probe of a data set: what was computed, and what it found."""

    def run(root: Path) -> tuple[int, dict]:
        config = write_small_config(tmp_path / 'small.py', root)
        status, _, err = run_tool('probe', config, '--no-map', '--device', 'cpu', '--out',
                                  tmp_path / 'page')
        assert status == 0, err
        found, = json.loads((tmp_path / 'page/probe.json').read_text())
        return found['computed'], {
            'rows': [(row['method'], row['choice'], row['accuracy']) for row in found['rows']],
            **{key: found[key] for key in ('shots', 'gains', 'stages', 'cells')}}

    return run


@pytest.fixture
def doctor(run_tool, tmp_path, write_config):
    """Runs the doctor of a folder: standard output, and the rows of its table."""

    def run(folder: Path) -> tuple[str, list[dict]]:
        status, said, err = run_tool('doctor', folder, '--out', tmp_path / 'out', '--config',
                                     write_config(), '--device', 'cpu')
        assert status == 0, err
        with open(tmp_path / 'out/fixes.csv', newline='') as file:
            return said, list(csv.DictReader(file))

    return run


@pytest.fixture
def interrupted(monkeypatch):
    """Has the third batch that is computed be the one at which a user stops."""
    compute, batches = FeaturePass._features, []

    def stop(self, batch):
        batches.append(batch)
        if len(batches) == 3:
            raise KeyboardInterrupt
        return compute(self, batch)

    monkeypatch.setattr(FeaturePass, '_features', stop)


def test_a_probe_that_was_interrupted_goes_on_and_finds_what_it_would_have(
        probe, run_tool, root, tmp_path, caches, interrupted):
    config = write_small_config(tmp_path / 'small.py', root)
    status, _, err = run_tool('probe', config, '--device', 'cpu', '--out', tmp_path / 'page')
    assert status == 130 and 'Traceback' not in err and not (tmp_path / 'page').exists()
    computed, found = probe(root)
    assert computed == 50  # of 70: two batches of 10 were kept
    caches('fresh')
    assert probe(root) == (70, found)


def test_a_doctor_that_was_interrupted_goes_on_and_finds_what_it_would_have(
        doctor, run_tool, raw, tmp_path, write_config, caches, interrupted):
    status, _, err = run_tool('doctor', raw, '--out', tmp_path / 'out', '--config', write_config(),
                              '--device', 'cpu')
    assert status == 130 and 'Traceback' not in err and not (tmp_path / 'out').exists()
    said, rows = doctor(raw)
    assert '42 images, 22 of them computed' in said
    caches('fresh')
    said, fresh = doctor(raw)
    assert '42 images, 42 of them computed' in said and rows == fresh


def test_a_probe_takes_no_features_of_other_images_of_the_same_names(probe, root, caches):
    before = probe(root)[1]
    for number, path in enumerate(sorted((root / 'training_set').rglob('*.png'))[::2]):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    computed, after = probe(root)
    assert computed >= 20 and after != before
    caches('fresh')
    assert probe(root)[1] == after


def test_a_doctor_takes_no_features_of_other_images_of_the_same_names(doctor, raw, caches):
    assert not any(row['id'] == 'red/05.png' for row in doctor(raw)[1])
    Image.open(raw / 'blue/05.png').rotate(180).save(raw / 'red/05.png')
    said, rows = doctor(raw)
    assert ' 0 of them computed' not in said
    assert {row['id']: row['suggestion'] for row in rows}['red/05.png'] == 'blue'
    caches('fresh')
    assert doctor(raw)[1] == rows


def test_a_class_with_one_image_stops_no_doctor_and_is_not_judged(doctor, raw):
    (raw / 'emu').mkdir()
    (raw / 'red/03.png').rename(raw / 'emu/only.png')
    said, rows = doctor(raw)
    assert '42 images, 42 of them computed' in said
    assert not any(row['label'] == 'emu' for row in rows)


def test_a_damaged_image_is_two_lines_of_a_probe_and_a_row_of_a_doctor(
        doctor, run_tool, root, raw, tmp_path):
    path = sorted((root / 'training_set').rglob('*.png'))[3]
    path.write_bytes(path.read_bytes()[:60])
    config = write_small_config(tmp_path / 'small.py', root)
    status, _, err = run_tool('probe', config, '--device', 'cpu')
    lines = err.strip().splitlines()
    assert status == 2 and lines[-2].startswith('error: ') and lines[-1].startswith('hint: ')
    assert path.name in lines[-2]
    (raw / 'red/broken.png').write_bytes(b'no image')
    _, rows = doctor(raw)
    assert {row['id']: row['reason'] for row in rows}['red/broken.png'] == 'damaged'
