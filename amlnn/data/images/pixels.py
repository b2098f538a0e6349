"""What an image file means as 8-bit pixels: one answer for preparing, training and predicting.

Ordinary files (8 bits a channel, no transparency) are what OpenCV decodes in colour, to the byte.
For others that answer loses the picture: it drops transparency, so that a drawing whose shape is in
the alpha channel alone is all black, and divides 16 bits by 256, whatever part of them is used.
"""

import struct
from contextlib import suppress
from io import BytesIO
from typing import cast

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from amlnn.errors import DataError

__all__ = ['READING', 'declared_white', 'deep_values', 'find_kind', 'is_opaque', 'read_pixels']

READING = 1
"""To be raised with every change of what is read, so that pixels kept from before are not used."""

VISIBLE = 16
"""Grey levels. What spans fewer is taken for nothing."""

_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_BITS, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274


def read_pixels(data: bytes, deep_range: tuple[float, float] | None = None,
                name: str = 'an image') -> np.ndarray | None:
    """Decode an image: uint8 [height, width, BGR], turned as its EXIF orientation says.

    Transparent parts are seen on white; on black where nothing would be seen on white. An alpha
    channel that is 255 everywhere, or 0 everywhere, is none.

    Args:
        data: The file's bytes.
        deep_range: The values of an image of more than 8 bits a channel that become 0 and 255.
            None is the whole range of 16 bits, or up to the largest value that a PGM or PPM
            declares; other numbers (signed, 32 bits, floating) have no range of their own.
        name: Of the file, for messages.

    Returns:
        None where OpenCV cannot decode it.

    Raises:
        DataError: the numbers in the file need a `deep_range`.
        cv2.error: the file is empty.
    """
    kind = find_kind(data)
    if kind == 'deep':
        return _read_deep(data, deep_range, name)
    if kind == 'alpha':
        rgba = _rgba(data)
        if not is_opaque(rgba):
            return _on_background(rgba)
    if kind == 'lab':
        return _read_lab(data)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def find_kind(data: bytes) -> str:
    """Why a file is not read as OpenCV reads it in colour, from its header; '' where it is.

    'alpha': it may have transparent parts. 'deep': other than 8 bits a channel. 'lab': its
    colours are L*a*b*.
    """
    if data[:2] == b'\xff\xd8':  # JPEG: by far the most
        return ''
    if data[:8] == b'\x89PNG\r\n\x1a\n':
        return _kind_of_png(data)
    if data[:2] in (b'P2', b'P3', b'P5', b'P6'):
        white = declared_white(data)
        return 'deep' if white and white != 255 else ''
    if data[:4] in _TIFF:
        return _kind_of_tiff(data)
    if data[:2] == b'BM' or data[:4] in (b'GIF8', b'RIFF'):
        with suppress(Exception), Image.open(BytesIO(data)) as image:
            return 'alpha' if image.mode in ('RGBA', 'LA', 'PA') or 'transparency' in image.info \
                else ''
    return ''


def declared_white(data: bytes) -> int | None:
    """The largest value that a PGM or PPM file says it has; None for another kind of file."""
    if data[:2] not in (b'P2', b'P3', b'P5', b'P6'):
        return None
    with suppress(ValueError, IndexError):
        return int(_words(data[:1000])[3])
    return None


def deep_values(data: bytes) -> np.ndarray | None:
    """The numbers in a 'deep' file as they are: [height, width] or [height, width, BGR or BGRA].

    They are turned as the EXIF orientation says, and larger is lighter. None: OpenCV cannot decode
    them.
    """
    if data[:2] in (b'P2', b'P3'):
        return _ascii_values(data)
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        return None
    if data[:4] in _TIFF:
        with suppress(Exception), Image.open(BytesIO(data)) as image:
            inverted = cast(TiffImageFile, image).tag_v2.get(_PHOTOMETRIC) == 0
            if inverted and values.dtype == np.uint16:
                values = 65535 - values
    elif data[:4] == b'\x89PNG':
        with suppress(Exception), Image.open(BytesIO(data)) as image:
            values = _turned(values, image.getexif().get(_ORIENTATION, 1))
    return values


def is_opaque(rgba: np.ndarray) -> bool:
    """Whether the alpha of an image [height, width, 4] says nothing."""
    alpha = rgba[..., 3]
    white = np.iinfo(alpha.dtype).max if alpha.dtype.kind == 'u' else 1
    return bool((alpha == white).all() or not alpha.any())


def _read_deep(data: bytes, deep_range: tuple[float, float] | None,
               name: str) -> np.ndarray | None:
    values = deep_values(data)
    if values is None:
        return None
    transparent = values.ndim == 3 and values.shape[2] == 4 and not is_opaque(values)
    colours = values[..., :3] if values.ndim == 3 else values
    full_range = deep_range or _own_range(data)
    if full_range is None:
        if values.dtype not in (np.uint8, np.uint16):
            raise DataError(
                f'`{name}` holds {values.dtype} numbers, and nothing says which are black and '
                'white', hint='prepare it with data_preprocess.py --on-loss convert, or give both: '
                "dict(type='LoadImageFromFile', deep_range=(0, 1))")
        pixels = None if transparent else cv2.imdecode(np.frombuffer(data, np.uint8),
                                                       cv2.IMREAD_COLOR)
        if pixels is not None:
            return pixels
        pixels = colours >> 8 if colours.dtype == np.uint16 else colours
    else:
        low, high = full_range
        share = (np.nan_to_num(colours.astype(np.float64), nan=low) - low) / (high - low)
        pixels = np.rint(np.clip(share, 0, 1) * 255)
    pixels = pixels.astype(np.uint8)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if transparent:
        full = np.iinfo(values.dtype).max if values.dtype.kind == 'u' else 1
        alpha = np.clip(values[..., 3:].astype(np.float64) / full, 0, 1) * 255
        return _on_background(np.concatenate([pixels[..., ::-1], np.rint(alpha).astype(np.uint8)],
                                             axis=2))
    return np.ascontiguousarray(pixels)


def _on_background(rgba: np.ndarray) -> np.ndarray:
    """BGR of an image [height, width, RGBA] on white, or on black where white shows nothing."""
    colours, alpha = rgba[..., 2::-1].astype(np.uint32), rgba[..., 3:].astype(np.uint32)
    seen = colours * alpha
    on_white = ((seen + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    if _span(on_white) >= VISIBLE:
        return on_white
    on_black = ((seen + 127) // 255).astype(np.uint8)
    return on_black if _span(on_black) > _span(on_white) else on_white


def _span(pixels: np.ndarray) -> int:
    return int((pixels.max((0, 1)).astype(int) - pixels.min((0, 1))).max())


def _rgba(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert('RGBA'))


def _read_lab(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        profiles = ImageCms.createProfile('LAB'), ImageCms.createProfile('sRGB')
        rgb = ImageCms.profileToProfile(ImageOps.exif_transpose(image), *profiles,
                                        outputMode='RGB')
        return np.ascontiguousarray(np.asarray(rgb)[..., ::-1])


def _own_range(data: bytes) -> tuple[int, int] | None:
    white = declared_white(data)
    return (0, white) if white else None


def _words(data: bytes) -> list[bytes]:
    """What an ASCII file of the PNM family holds, comments apart."""
    return [word for line in data.split(b'\n') for word in line.partition(b'#')[0].split()]


def _ascii_values(data: bytes) -> np.ndarray | None:
    """OpenCV's reader of these stops short, and knows nothing of 4 bits."""
    channels = 3 if data[:2] == b'P3' else 1
    with suppress(ValueError):
        width, height, _, *values = map(int, _words(data)[1:])
        grid = np.array(values[:width * height * channels], np.uint16)
        if channels == 1:
            return grid.reshape(height, width)
        return grid.reshape(height, width, 3)[..., ::-1]
    return None


def _kind_of_png(data: bytes) -> str:
    if len(data) < 33:
        return ''
    bits, colour_type = data[24], data[25]
    if bits == 16:
        return 'deep'
    if colour_type & 4:
        return 'alpha'
    place = 8
    while place + 8 <= len(data):  # transparency of a palette, or of one colour
        length, name = struct.unpack('>I4s', data[place:place + 8])
        if name == b'tRNS':
            return 'alpha'
        if name == b'IDAT':
            return ''
        place += length + 12
    return ''


def _kind_of_tiff(data: bytes) -> str:
    try:
        with Image.open(BytesIO(data)) as image:
            bits = cast(TiffImageFile, image).tag_v2.get(_BITS, (1,))
            if max(bits if isinstance(bits, tuple) else (bits,)) > 8:
                return 'deep'
            if image.mode == 'LAB':
                return 'lab'
            return 'alpha' if image.mode in ('RGBA', 'RGBX', 'RGBa', 'LA', 'PA') else ''
    except Exception:  # Pillow knows fewer TIFF files than OpenCV: 64 bits, colours as floats
        return 'deep'


def _turned(values: np.ndarray, orientation: int) -> np.ndarray:
    """An image as its EXIF orientation, 1 to 8, says."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return np.ascontiguousarray(values)
