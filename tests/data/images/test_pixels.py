"""What image files mean as 8-bit pixels, for training, predicting and preparing alike."""

import io

import cv2
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS
from mmpretrain.registry import TRANSFORMS as MMPRETRAIN_TRANSFORMS
from PIL import Image

from amlnn.data.images.pixels import read_pixels
from amlnn.data.images.reader import LoadImageFromFile
from amlnn.errors import DataError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (14, 18, 3), dtype=np.uint8)
GREY12 = RNG.integers(0, 4096, (14, 18)).astype(np.uint16)
DISC = (np.hypot(*np.mgrid[-9:9, -9:9]) < 6).astype(np.uint8) * 255


def encoded(image, file_format, **options):
    """What Pillow writes."""
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def by_opencv(extension, pixels):
    return cv2.imencode(extension, pixels)[1].tobytes()


def turned(file_format, image):
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image, file_format, exif=exif)


def drawing(mode, colour=(0, 0, 0)):
    """A disc that is in the alpha channel alone."""
    image = Image.new('RGBA', (18, 18), (*colour, 0))
    image.putalpha(Image.fromarray(DISC))
    return image.convert(mode)


def palette_drawing():
    image = Image.fromarray(DISC // 255)
    image = Image.fromarray(np.array(image), 'P') if image.mode != 'P' else image
    image.putpalette([0, 0, 0] * 2)
    return encoded(image, 'PNG', transparency=0)


ORDINARY = {
    'jpeg': encoded(Image.fromarray(COLOUR), 'JPEG'),
    'grey jpeg': encoded(Image.fromarray(COLOUR[..., 0]), 'JPEG'),
    'turned jpeg': turned('JPEG', Image.fromarray(COLOUR)),
    'cmyk jpeg': encoded(Image.fromarray(COLOUR).convert('CMYK'), 'JPEG'),
    'png': encoded(Image.fromarray(COLOUR), 'PNG'),
    'turned png': turned('PNG', Image.fromarray(COLOUR)),
    'palette': encoded(Image.fromarray(COLOUR).quantize(16), 'PNG'),
    'one bit': encoded(Image.fromarray(DISC).convert('1'), 'PNG'),
    'bmp': encoded(Image.fromarray(COLOUR), 'BMP'),
    'tiff': encoded(Image.fromarray(COLOUR), 'TIFF'),
    'cmyk tiff': encoded(Image.fromarray(COLOUR).convert('CMYK'), 'TIFF'),
    'webp': encoded(Image.fromarray(COLOUR), 'WEBP'),
    'gif': encoded(Image.fromarray(COLOUR), 'GIF'),
    'ppm': encoded(Image.fromarray(COLOUR), 'PPM'),
    'opaque': encoded(Image.fromarray(np.dstack([COLOUR, np.full((14, 18), 255, np.uint8)])),
                      'PNG'),
    'an alpha of zeros': encoded(Image.fromarray(np.dstack([COLOUR, DISC[:14] * 0])), 'PNG'),
    'sixteen bits': by_opencv('.png', RNG.integers(0, 65536, (14, 18, 3)).astype(np.uint16)),
    'sixteen bits tiff': by_opencv('.tif', RNG.integers(0, 65536, (14, 18, 3)).astype(np.uint16)),
}


@pytest.mark.parametrize('name', ORDINARY)
def test_ordinary_files_are_what_opencv_makes_of_them_to_the_byte(name):
    data = ORDINARY[name]
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert expected is not None
    assert np.array_equal(read_pixels(data), expected)


@pytest.mark.parametrize('data', [
    encoded(drawing('RGBA'), 'PNG'), encoded(drawing('LA'), 'PNG'), palette_drawing(),
    encoded(drawing('RGBA'), 'TIFF'), encoded(drawing('RGBA'), 'WEBP', lossless=True),
    by_opencv('.png', np.dstack([np.zeros((18, 18, 3), np.uint16),
                                 DISC.astype(np.uint16) * 257]))],
    ids=['rgba', 'la', 'palette', 'tiff', 'webp', 'sixteen bits'])
def test_a_black_drawing_in_the_alpha_channel_is_black_on_white(data):
    plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert plain.max() == 0  # what is lost without
    assert np.array_equal(read_pixels(data), np.dstack([255 - DISC] * 3))


def test_a_white_drawing_in_the_alpha_channel_is_white_on_black():
    data = encoded(drawing('RGBA', (255, 255, 255)), 'PNG')
    assert np.array_equal(read_pixels(data), np.dstack([DISC] * 3))


def test_half_transparent_red_is_pink():
    data = encoded(Image.new('RGBA', (9, 9), (255, 0, 0, 51)), 'PNG')
    assert read_pixels(data)[0, 0].tolist() == [204, 204, 255]  # BGR: a fifth of red


def test_a_transparent_image_is_turned_as_its_exif_says():
    pixels = np.dstack([COLOUR, RNG.integers(1, 255, (14, 18), dtype=np.uint8)])
    straight = read_pixels(encoded(Image.fromarray(pixels), 'PNG'))
    assert np.array_equal(read_pixels(turned('PNG', Image.fromarray(pixels))),
                          np.rot90(straight, -1))


@pytest.mark.parametrize('data', [by_opencv('.png', GREY12), by_opencv('.tif', GREY12)],
                         ids=['png', 'tiff'])
def test_twelve_bits_are_stretched_by_the_range_that_is_given(data):
    assert len(np.unique(read_pixels(data))) <= 16
    expected = np.rint(GREY12 * (255 / 4095)).astype(np.uint8)
    assert np.array_equal(read_pixels(data, (0, 4095)), np.dstack([expected] * 3))


def test_a_deep_png_is_turned_as_its_exif_says_with_a_range_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(GREY12), 'PNG', exif=exif)
    assert np.array_equal(read_pixels(data, (0, 65535)).shape, (18, 14, 3))
    straight = read_pixels(by_opencv('.png', GREY12), (0, 4095))
    assert np.array_equal(read_pixels(data, (0, 4095)), np.rot90(straight, -1))


@pytest.mark.parametrize(('header', 'kind'), [(b'P5', '>u2'), (b'P2', None)])
def test_a_pgm_is_read_by_the_white_that_it_declares(header, kind):
    body = GREY12.astype(kind).tobytes() if kind else ' '.join(map(str, GREY12.ravel())).encode()
    data = header + b'\n# a camera\n18 14\n4095\n' + body
    assert np.array_equal(read_pixels(data)[..., 0], np.rint(GREY12 * (255 / 4095)))
    four_bits = b'P2\n3 1\n15\n0 5 15'
    assert read_pixels(four_bits)[0, :, 0].tolist() == [0, 85, 255]


@pytest.mark.parametrize('values', [
    np.linspace(0, 1, 252, dtype=np.float32).reshape(14, 18),
    np.linspace(0, 1, 252).reshape(14, 18), np.dstack([np.eye(9, dtype=np.float32)] * 3)],
    ids=['float32', 'float64', 'colour'])
def test_floating_numbers_need_a_range(values):
    data = by_opencv('.tif', values)
    with pytest.raises(DataError, match='nothing says which are black') as caught:
        read_pixels(data, name='x.tif')
    assert '--on-loss convert' in caught.value.hint and 'deep_range' in caught.value.hint
    grey = values if values.ndim == 2 else values[..., 0]
    assert np.array_equal(read_pixels(data, (0, 1))[..., 0], np.rint(grey * 255))


def test_signed_numbers_below_zero_are_not_lost_with_a_range():
    values = (np.arange(252).reshape(14, 18) * 4 - 500).astype(np.int32)
    data = encoded(Image.fromarray(values), 'TIFF')
    assert np.array_equal(read_pixels(data, (-500, 504))[..., 0], np.rint((values + 500) / 1004
                                                                          * 255))


def test_every_pipeline_gets_this_reader_by_its_usual_name(tmp_path):
    (tmp_path / 'x.png').write_bytes(encoded(drawing('RGBA'), 'PNG'))
    for registry in (TRANSFORMS, MMPRETRAIN_TRANSFORMS):
        step = registry.build(dict(type='LoadImageFromFile'))
        assert type(step) is LoadImageFromFile
        found = step(dict(img_path=str(tmp_path / 'x.png')))
        assert np.array_equal(found['img'], np.dstack([255 - DISC] * 3))
        assert found['img_shape'] == found['ori_shape'] == (18, 18)


def test_the_reader_stretches_by_its_deep_range(tmp_path):
    (tmp_path / 'x.png').write_bytes(by_opencv('.png', GREY12))
    step = TRANSFORMS.build(dict(type='LoadImageFromFile', deep_range=[0, 4095]))
    found = step(dict(img_path=str(tmp_path / 'x.png')))['img']
    assert np.array_equal(found[..., 0], np.rint(GREY12 * (255 / 4095)))


@pytest.mark.parametrize(('data', 'times'), [
    (by_opencv('.png', GREY12), 1), (ORDINARY['sixteen bits'], 0), (ORDINARY['jpeg'], 0),
    (by_opencv('.png', COLOUR // 20), 0)], ids=['12 bits', '16 bits', 'jpeg', 'dark'])
def test_twelve_bits_without_a_range_are_warned_of_once(tmp_path, monkeypatch, capsys, data, times):
    monkeypatch.setattr(LoadImageFromFile, 'told', False)
    (tmp_path / 'x.png').write_bytes(data)
    for _ in range(2):
        LoadImageFromFile()(dict(img_path=str(tmp_path / 'x.png')))
    assert capsys.readouterr().err.count('deep_range') == times
