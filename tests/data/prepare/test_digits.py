"""The embedded digits as raw folders."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image
from raw_folders import quietly, tree
from sklearn.datasets import load_digits

from amlnn.data.prepare.digits import NAMES, write_digits


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('digits')
    write_digits(root)
    return root


def test_every_digit_lies_in_the_folder_of_its_name(folder):
    target = load_digits().target
    files = list(folder.rglob('*.png'))
    assert len(files) == 1797
    assert all(NAMES[target[int(path.stem)]] == path.parent.name for path in files)
    assert {path.parent.parent.name: sorted(child.name for child in path.parent.parent.iterdir())
            for path in files} == {
        'digits_0_to_4': ['four', 'one', 'three', 'two', 'zero'],
        'digits_5_to_9': ['eight', 'five', 'nine', 'seven', 'six']}


def test_an_image_is_the_digit_enlarged(folder):
    digits = load_digits().images.reshape(1797, 64)
    for path in sorted(folder.rglob('*.png'))[::100]:
        image = np.asarray(Image.open(path))
        assert image.shape == (32, 32, 3)
        assert (image == image[..., :1]).all()
        small = image[..., 0].reshape(8, 4, 8, 4).mean(axis=(1, 3)).ravel() * (16 / 255)
        nearest = np.abs(digits - small).sum(axis=1).argmin()
        assert nearest == int(path.stem)


def test_writing_again_gives_the_same_bytes(folder):
    before = tree(folder)
    write_digits(folder)
    assert tree(folder) == before


def test_the_digits_are_accepted_whole(folder, tmp_path):
    manifest, _ = quietly(folder / 'digits_5_to_9', tmp_path / 'out')
    expected = Counter(NAMES[digit] for digit in load_digits().target if digit >= 5)
    assert {name: sum(row.values()) for name, row in manifest.counts.items()} == expected
    assert manifest.problems == []
