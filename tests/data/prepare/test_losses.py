"""Images of which training would lose something: named and refused, or written anew."""

import shutil

import cv2
import numpy as np
import pytest
from PIL import Image
from raw_folders import noise, quietly, raw_folder

from amlnn.data.prepare.manifest import read_manifest
from amlnn.errors import DataError

RNG = np.random.default_rng(3)


def disc(radius):
    return ((np.hypot(*np.mgrid[-20:20, -20:20]) < radius) * 255).astype(np.uint8)


def in_alpha(mode, **options):
    def write(path, number):
        image = Image.new('RGBA', (40, 40), (0, 0, 0, 0))
        image.putalpha(Image.fromarray(disc(4 + number)))
        image.convert(mode).save(path, **options)
    return write


def deep(low, high, dtype, channels=1):
    def write(path, number):
        shape = (40, 40) if channels == 1 else (40, 40, channels)
        values = low + RNG.random(shape) * (high - low)
        values.flat[:2] = low, high  # the range is known
        assert cv2.imwrite(str(path), values.astype(dtype))
    return write


def pgm(path, number):
    values = RNG.integers(0, 4096, (40, 40)).astype('>u2')
    path.write_bytes(b'P5\n40 40\n4095\n' + values.tobytes())


# What a file is, its extension, and the range that its numbers are stretched by.
LOST = {
    'rgba': (in_alpha('RGBA'), '.png', None),
    'la': (in_alpha('LA'), '.png', None),
    'rgba tiff': (in_alpha('RGBA'), '.tif', None),
    '12 bits': (deep(0, 4095, np.uint16), '.png', [0, 4095]),
    '12 bits in colour': (deep(0, 4095, np.uint16, 3), '.tif', [0, 4095]),
    '10 bits': (deep(0, 1023, np.uint16), '.tif', [0, 1023]),
    'an offset': (deep(32768, 34767, np.uint16), '.png', [32768, 34767]),
    'signed': (deep(-1000, 3000, np.int16), '.tif', [-1000, 3000]),
    'float to 1': (deep(0, 1, np.float32), '.tif', [0, 1]),
    'float in colour': (deep(0, 1, np.float32, 3), '.tif', [0, 1]),
    'double': (deep(-2, 7, np.float64), '.tif', [-2, 7]),
    'pgm of 12 bits': (pgm, '.pgm', [0, 4095]),
}


def fill(root, write, extension, count=4):
    for class_name in ('a', 'b'):
        (root / class_name).mkdir(parents=True)
        for number in range(count):
            write(root / class_name / f'{number}{extension}',
                  number + count * (class_name == 'b'))
    return root


@pytest.mark.parametrize('name', LOST)
def test_what_would_be_lost_is_named_refused_and_kept_by_converting(tmp_path, name, capfd):
    write, extension, expected = LOST[name]
    raw = fill(tmp_path / 'raw', write, extension)
    with pytest.raises(DataError, match='8 of which training would lose') as caught:
        quietly(raw, tmp_path / 'out')
    assert '--on-loss convert' in caught.value.hint
    assert not (tmp_path / 'out').exists()
    manifest, said = quietly(raw, tmp_path / 'out', on_loss='convert')
    assert [problem.path for problem in manifest.problems if 'converted' in problem.action] == [
        f'{class_name}/{number}{extension}' for class_name in 'ab' for number in range(4)]
    assert list(manifest.deep_ranges.values()) == ([expected] if expected else [])
    pictures = {cv2.imread(str(path), cv2.IMREAD_COLOR).tobytes()
                for path in (tmp_path / 'out').rglob('*.png')}
    assert len(pictures) == 8  # any reader tells them apart
    if expected:
        assert all(len(set(picture)) > 150 for picture in pictures)
        assert f'{expected[1]:,.9g} as white' in said


def test_files_that_need_a_conversion_can_be_left_out_or_kept(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=4, b=4)
    deep(0, 4095, np.uint16)(raw / 'a' / 'deep.png', 0)
    manifest, _ = quietly(raw, tmp_path / 'out', on_loss='skip')
    assert [(item.kind, item.path, item.action) for item in manifest.problems
            if item.kind != 'few-images'] == [('depth', 'a/deep.png', 'left out')]
    manifest, _ = quietly(raw, tmp_path / 'again', on_loss='keep')
    assert len(manifest.images) == 9
    kept = next(path for path in (tmp_path / 'again').rglob('deep.png'))
    assert kept.read_bytes() == (raw / 'a' / 'deep.png').read_bytes()


def test_numbers_that_no_reader_can_read_are_not_kept(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=4, b=4)
    deep(0, 1, np.float32)(raw / 'a' / 'float.tif', 0)
    with pytest.raises(DataError, match='cannot use'):
        quietly(raw, tmp_path / 'out', on_loss='keep')


def test_one_range_serves_all_so_that_a_darker_image_stays_darker(tmp_path):
    raw = fill(tmp_path / 'raw', deep(0, 4095, np.uint16), '.png')
    deep(0, 500, np.uint16)(raw / 'a' / 'dark.png', 0)
    quietly(raw, tmp_path / 'out', on_loss='convert')
    dark = cv2.imread(str(next((tmp_path / 'out').rglob('dark.png'))))
    assert dark.max() == round(500 * 255 / 4095)


def no_loss(path, number, kind):
    colour = noise((number, kind), (40, 40))
    if kind == 'opaque':
        colour.putalpha(255)
    elif kind == 'corners':
        alpha = np.full((40, 40), 255, np.uint8)
        alpha[:5, :5] = 0
        colour.putalpha(Image.fromarray(alpha))
    elif kind == 'sixteen bits':
        return deep(0, 65535, np.uint16, 3)(path, number)
    elif kind == 'one bit':
        colour = colour.convert('1')
    elif kind == 'palette':
        colour = colour.quantize(8)
    elif kind == 'cmyk':
        colour = colour.convert('CMYK')
    elif kind == 'profile':
        from PIL import ImageCms
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
        return colour.save(path, icc_profile=profile)
    return colour.save(path)


@pytest.mark.parametrize(('kind', 'extension'), [
    ('opaque', '.png'), ('corners', '.png'), ('sixteen bits', '.png'), ('one bit', '.png'),
    ('palette', '.png'), ('cmyk', '.jpg'), ('cmyk', '.tif'), ('profile', '.png')])
def test_images_that_lose_nothing_are_no_alarm(tmp_path, kind, extension):
    raw = fill(tmp_path / 'raw', lambda path, number: no_loss(path, number, kind), extension)
    manifest, _ = quietly(raw, tmp_path / 'out')
    assert {item.action for item in manifest.problems} == {'kept'}
    assert {item.kind for item in manifest.problems} - {'few-images', 'transparent'} == {
        'opaque': {'opaque-alpha'}, 'sixteen bits': {'deep'}, 'palette': {'palette'},
        'cmyk': {'cmyk'}}.get(kind, set())
    assert len(manifest.images) == 8
    source = {path.name for path in raw.rglob('*.*')}
    assert {path.name for path in (tmp_path / 'out').rglob(f'*{extension}')} == source


def test_transparent_parts_are_told(tmp_path):
    raw = fill(tmp_path / 'raw', lambda path, number: no_loss(path, number, 'corners'), '.png')
    manifest, said = quietly(raw, tmp_path / 'out')
    assert [item.kind for item in manifest.problems].count('transparent') == 8
    assert 'on white' in said


def test_images_that_differ_only_in_what_8_bits_lose_are_named(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=4, b=4)
    values = RNG.integers(0, 256, (40, 40)).astype(np.uint16) * 256
    cv2.imwrite(str(raw / 'a' / 'x.png'), values)
    cv2.imwrite(str(raw / 'a' / 'y.png'), values + 7)
    with pytest.raises(DataError, match='2 of which training would lose'):
        quietly(raw, tmp_path / 'out')
    manifest, _ = quietly(raw, tmp_path / 'out', on_loss='keep')
    assert [(item.kind, item.path) for item in manifest.problems if item.kind != 'few-images'] == [
        ('difference', 'a/x.png'), ('copy', 'a/y.png'), ('difference', 'a/y.png')]


def test_other_extensions_are_written_anew_by_converting(tmp_path):
    raw = raw_folder(tmp_path / 'raw', a=4, b=4)
    noise(1).save(raw / 'a' / '000.gif')  # beside 000.png
    noise(2).save(raw / 'b' / 'x.webp', lossless=True)
    manifest, _ = quietly(raw, tmp_path / 'out', on_loss='convert')
    assert {image.file for image in manifest.images} >= {'a/000.gif.png', 'a/000.png', 'b/x.png'}
    written = cv2.imread(str(next((tmp_path / 'out').rglob('x.png'))))
    assert np.array_equal(written[..., ::-1], np.array(noise(2)))


def test_an_older_manifest_is_still_read(tmp_path):
    quietly(raw_folder(tmp_path / 'raw', a=4, b=4), tmp_path / 'out')
    path = tmp_path / 'out' / 'manifest.json'
    lines = path.read_text('utf-8').splitlines()
    new = ('"on_loss"', '"deep_ranges"', '"parts"', '"group_by"', '"groups"')
    old = [line for line in lines if not line.strip().startswith(new)]
    assert len(old) == len(lines) - 5
    path.write_text('\n'.join(old).replace('"schema_version": 2', '"schema_version": 1'), 'utf-8')
    assert read_manifest(tmp_path / 'out').classes == ['a', 'b']
    shutil.rmtree(tmp_path / 'out')
