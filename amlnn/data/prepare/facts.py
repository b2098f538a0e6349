"""What is odd about the file of an image that decodes: told from its header and its structure."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amlnn.data.prepare.kinds import LONG_SIDES

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

__all__ = ['Header', 'jpeg_damage', 'pixel_facts', 'read_header', 'surplus']

Fact = tuple[str, str]
"""A kind of `amlnn.data.prepare.kinds.KINDS`, and what is particular to this file."""

_FORMATS = {'jpg': ('JPEG', 'MPO'), 'jpeg': ('JPEG', 'MPO'), 'png': ('PNG',), 'bmp': ('BMP', 'DIB'),
            'tif': ('TIFF',), 'ppm': ('PPM',), 'pgm': ('PPM',)}
_GREY = ('1', 'L', 'LA', 'La', 'I', 'F')
_PROFILES = (b'Adobe RGB', b'AdobeRGB', b'ProPhoto', b'ROMM', b'Display P3', b'DCI-P3',
             b'DCI(P3)', b'Wide Gamut', b'WideGamut', b'2020', b'Apple RGB', b'ColorMatch')
_ORIENTATION = 274

# In a scan only a zero, a restart marker or another 0xff may follow 0xff.
_MARKER = re.compile(rb'\xff[^\x00\xd0-\xd7\xff]')

# What libjpeg says of a picture that it cannot have read right. Its other warnings are about
# numbers in the header that do not matter.
_DAMAGE = ('premature end', 'extraneous bytes', 'bad Huffman code', 'instead of RST',
           'Inconsistent progression', 'Premature end')


@dataclass(frozen=True)
class Header:
    """What the header of an image says."""

    format: str
    grey: bool
    alpha: bool
    """It has a channel for transparency."""
    facts: tuple[Fact, ...]


def read_header(image: 'Image', ending: str) -> Header:
    """Look at an image that Pillow has opened, and not yet decoded.

    Args:
        image: The image.
        ending: Of the file's name, without its dot, in lower case.
    """
    facts: list[Fact] = []
    form, mode = image.format or '', image.mode
    if form not in _FORMATS.get(ending, (form,)):
        facts.append(('wrong-ending', f'{form}, called .{ending}'))
    if mode == 'CMYK':
        facts.append(('cmyk', ''))
    elif profile := _other_profile(image.info.get('icc_profile')):
        facts.append(('profile', profile))
    if mode in ('P', 'PA') and form != 'GIF':
        facts.append(('palette', ''))
    if 'exif' in image.info or form == 'TIFF':
        try:
            orientation = image.getexif().get(_ORIENTATION, 1)
        except Exception:  # damaged EXIF blocks are common, and readers pass over them
            orientation = 1
        if orientation in range(2, 9):
            facts.append(('turned', f'orientation {orientation}'))
    return Header(form, mode.partition(';')[0] in _GREY, mode in ('RGBA', 'LA', 'PA'),
                  tuple(facts))


def pixel_facts(pixels: 'np.ndarray', small: 'np.ndarray') -> list[Fact]:
    """Look at what training sees of an image.

    Args:
        pixels: uint8 [height, width, BGR].
        small: The same reduced to few grey pixels, which tells quickly what need not be looked at.
    """
    import cv2

    from amlnn.data.images.pixels import VISIBLE
    facts = []
    height, width = pixels.shape[:2]
    if max(height, width) >= LONG_SIDES * min(height, width):
        facts.append(('aspect', f'{width} x {height} pixels'))
    if int(small.max()) - int(small.min()) < VISIBLE:
        span = max(high - low for low, high, *_ in map(cv2.minMaxLoc, cv2.split(pixels)))
        if span <= 2:  # a JPEG of one colour is that exact
            facts.append(('constant', f'B, G, R {", ".join(map(str, pixels[0, 0]))}'))
        elif span < VISIBLE:
            facts.append(('faint', f'{span + 1:.0f} levels'))
    grey = _grey_rows(pixels)
    if grey >= max(8, height / 8) and grey < height:
        facts.append(('grey-end', f'{grey} of {height} rows'))
    return facts


def jpeg_damage(data: bytes) -> Fact | None:
    """What libjpeg warns of while it reads a JPEG, which Pillow and OpenCV pass over in silence.

    The picture is decoded at an eighth of its size, for which all of the file has to be read.
    Damage after which the decoder finds its way again, with no block too many or too few, is not
    noticed by libjpeg either.
    """
    import simplejpeg
    try:
        colours = simplejpeg.decode_jpeg_header(data, strict=False)[2]
        simplejpeg.decode_jpeg(data, 'CMYK' if colours in ('CMYK', 'YCCK') else 'GRAY',
                               fastdct=True, min_height=1, min_width=1, min_factor=8, strict=True)
    except ValueError as error:
        said = str(error)
    else:
        return None
    if not any(word in said for word in _DAMAGE):
        return None  # a form of JPEG that it does not know; others judge that
    if found := re.search(r'(\d+) extraneous bytes before marker 0xd9', said):
        end = len(data) - surplus(data, 'JPEG') - 2
        left = data[end - int(found[1]):end]
        if len(set(left)) == 1 and left[:1] in (b'\0', b'\xff'):
            return 'trailing', f'{found[1]} in the picture'  # a camera fills up its blocks
    return 'damaged', ' '.join(said.split()).removeprefix('Corrupt JPEG data: ')


def surplus(data: bytes, form: str) -> int:
    """How many bytes come after the end of an image; 0 where its format does not say.

    >>> surplus(b'P5 2 1 255\\nab' + b'cde', 'PPM')
    3
    """
    find = {'JPEG': _jpeg_end, 'PNG': _png_end, 'BMP': _bmp_end, 'WEBP': _riff_end,
            'PPM': _pnm_end}.get(form)
    try:
        end = find(data) if find else None
    except (struct.error, ValueError, IndexError):
        end = None
    return max(len(data) - end, 0) if end else 0


def _jpeg_end(data: bytes) -> int | None:
    place = 2
    while place + 4 <= len(data) or data[place:place + 2] == b'\xff\xd9':
        if data[place] != 0xff:
            return None
        marker = data[place + 1]
        if marker == 0xd9:
            return place + 2
        if marker == 0xff:  # filling
            place += 1
            continue
        place += 2
        if marker == 0x01 or 0xd0 <= marker <= 0xd7:
            continue
        place += struct.unpack('>H', data[place:place + 2])[0]
        if marker == 0xda:
            found = _MARKER.search(data, place)
            if found is None:
                return None
            place = found.start()
    return None


def _png_end(data: bytes) -> int | None:
    return next((place for name, place in _chunks(data) if name == b'IEND'), None)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    place = 8
    while place + 8 <= len(data):
        length, name = struct.unpack('>I4s', data[place:place + 8])
        place += length + 12
        yield name, place


def _bmp_end(data: bytes) -> int | None:
    size, _, _, offset = struct.unpack('<IHHI', data[2:14])
    return size if size > offset else None


def _riff_end(data: bytes) -> int:
    size, = struct.unpack('<I', data[4:8])
    return 8 + size + size % 2


def _pnm_end(data: bytes) -> int | None:
    head = re.match(rb'P([56])(?:\s+(?:#[^\n]*\n\s*)*)(\d+)(?:\s+(?:#[^\n]*\n\s*)*)(\d+)'
                    rb'(?:\s+(?:#[^\n]*\n\s*)*)(\d+)\s', data)
    if head is None:
        return None
    kind, width, height, white = map(int, head.groups())
    return head.end() + width * height * (3 if kind == 6 else 1) * (2 if white > 255 else 1)


def _grey_rows(pixels: 'np.ndarray') -> int:
    """Rows at the lower end that are all of the middle grey that decoders fill with."""
    if not _is_filling(pixels[-1]) or _is_filling(pixels[0]):
        return 0
    rows = 1
    while rows < len(pixels) and _is_filling(pixels[-rows - 1]):
        rows += 1
    return rows


def _is_filling(row: 'np.ndarray') -> bool:
    return int(row.min()) >= 127 and int(row.max()) <= 129


def _other_profile(profile: bytes | None) -> str:
    """The name of a colour profile that other readers would apply, if it is none of sRGB's."""
    if not profile:
        return ''
    plain = profile[:4000].replace(b'\0', b'')  # newer profiles have it in UTF-16
    return next((name.decode() for name in _PROFILES if name in plain), '')
