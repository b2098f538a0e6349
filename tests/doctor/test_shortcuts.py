"""Facts by which alone classes are told, planted one by one."""

import numpy as np
import pytest
from PIL import Image
from raw_folders import noise
from rich.console import Console

from amlnn.data.prepare.inspect import RawFile, read_images
from amlnn.doctor.shortcuts import find_shortcuts, image_facts


def read(folder, change, count=24):
    """Facts and labels of images of two classes, those of the second changed."""
    files = []
    for number in range(2 * count):
        label = number % 2
        image = noise(number, (32, 24))
        image, ending = change(image) if label else (image, 'png')
        path = folder / f'{number}.{ending}'
        image.save(path)
        files.append(RawFile(f'{"ab"[label]}/{path.name}', path))
    images, problems = read_images(files, Console(stderr=True))
    assert problems == [] and len(images) == 2 * count
    labels = np.array([image.class_name == 'b' for image in images], np.int64)
    return image_facts(images), labels


def darker(image):
    return Image.fromarray(np.asarray(image) // 2), 'png'


def framed(image):
    pixels = np.array(image)
    pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:] = 128, 128, 128, 128
    return Image.fromarray(pixels), 'png'


@pytest.mark.parametrize(('fact', 'change'), [
    ('image size', lambda image: (image.crop((0, 0, 28, 24)), 'png')),
    ('file type', lambda image: (image, 'bmp')),
    ('border', framed), ('brightness', darker)])
def test_a_planted_fact_is_named_and_which_class_it_tells(tmp_path, fact, change):
    facts, labels = read(tmp_path, change)
    assert set(facts) == {'image size', 'file type', 'border', 'brightness'}
    found = {each.fact: each for each in find_shortcuts(facts, labels, np.arange(48))}
    named = found[fact]
    assert named.accuracy == 1 and named.low > 0.9 and named.chance == 0.5
    assert [row[0] for row in sorted(named.told)] == [0, 1]
    assert all(row[1:] == (1, 1) for row in named.told)
    # A frame changes the brightness, and nothing else does two things.
    assert set(found) <= {fact} | ({'brightness'} if fact == 'border' else set())


def test_images_that_differ_in_nothing_but_what_they_show_name_nothing(tmp_path):
    facts, labels = read(tmp_path, lambda image: (image, 'png'))
    assert find_shortcuts(facts, labels, np.arange(48)) == []


def test_chance_is_the_largest_class_and_noise_is_below_it_nearly_always():
    generator = np.random.default_rng(0)
    named = 0
    for trial in range(40):
        labels = generator.choice(3, 300, p=[0.6, 0.3, 0.1])
        facts = {'noise': generator.normal(size=(300, 3))}
        named += len(find_shortcuts(facts, labels, np.arange(300), seed=trial))
    assert named <= 2


def test_copies_do_not_tell_their_own_class():
    generator = np.random.default_rng(0)
    values = np.repeat(generator.normal(size=(30, 2)), 10, axis=0)
    labels = np.repeat(generator.integers(0, 2, 30), 10)
    alone = find_shortcuts({'size': values}, labels, np.arange(300))
    assert alone and alone[0].accuracy > 0.9
    assert find_shortcuts({'size': values}, labels, np.repeat(np.arange(30), 10)) == []


def test_too_few_images_or_one_class_name_nothing():
    facts = {'size': np.arange(12.0)[:, None]}
    assert find_shortcuts(facts, np.arange(12) // 6, np.arange(12)) == []
    assert find_shortcuts({'size': np.arange(40.0)[:, None]}, np.zeros(40, int),
                          np.arange(40)) == []
