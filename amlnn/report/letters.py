"""Letters of any script in pictures: the fonts that have them, and what stands in where none has.

A page is drawn by its reader's fonts; a PNG by those of this machine, and a letter that none of
them has would be the same box as every other.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import groupby
from unicodedata import category

__all__ = ['families', 'noted_letters', 'spelled_out', 'unseen_note']

_OWN = 'DejaVu Sans'  # matplotlib's; it has no Chinese, Japanese, Korean, and few scripts of India

# Looked into first, in this order: the others may be of a script's ornaments, or monospaced.
_USUAL = ('Noto Sans CJK SC', 'Noto Sans CJK JP', 'Noto Sans SC', 'Source Han Sans SC',
          'WenQuanYi Zen Hei', 'WenQuanYi Micro Hei', 'Microsoft YaHei', 'SimHei',
          'PingFang SC', 'Hiragino Sans GB', 'Arial Unicode MS')
_BOXES = 'Last Resort'  # a font that has a box for everything

_noted: ContextVar[dict[str, str] | None] = ContextVar('noted', default=None)


@contextmanager
def noted_letters() -> Iterator[dict[str, str]]:
    """Collect what was spelled out in pictures, and the letters that it stands for."""
    inside = _noted.get()
    if inside is not None:
        yield inside
        return
    token = _noted.set(found := {})
    try:
        yield found
    finally:
        _noted.reset(token)


def unseen_note(noted: dict[str, str]) -> str:
    r"""A sentence about what was spelled out; empty where nothing was.

    >>> unseen_note({'[732B]': '\u732b'}).partition('. ')[0]
    'No font of this machine has some of the letters'
    """
    if not noted:
        return ''
    listed = [f'{shown} is {letters}' for shown, letters in list(noted.items())[:100]]
    listed += [f'and {len(noted) - 100} more'] * (len(noted) > 100)
    return ('No font of this machine has some of the letters. In the PNG files their Unicode '
            f'numbers stand in their place: {", ".join(listed)}. With a font that has them (Noto '
            'Sans CJK, say) a new report shows them; the page does already, where its reader has '
            'one.')


def spelled_out(text: str) -> str:
    r"""The text with numbers for the letters that no font has.

    >>> spelled_out('daisy, Gänseblümchen')
    'daisy, Gänseblümchen'
    >>> spelled_out('a \U0010fffd')
    'a [10FFFD]'
    """
    missing = {letter for letter in set(text) if _family_of(letter) is None}
    if not missing:
        return text
    parts = []
    for is_missing, letters in groupby(text, missing.__contains__):
        run = ''.join(letters)
        shown = '[' + ' '.join(f'{ord(letter):04X}' for letter in run) + ']' if is_missing else run
        parts.append(shown)
        if is_missing and (noted := _noted.get()) is not None:
            noted[shown] = run
    return ''.join(parts)


def families(text: str) -> list[str]:
    """The font families that a text needs, matplotlib's own first."""
    found = dict.fromkeys([_OWN])
    found.update(dict.fromkeys(family for letter in sorted(set(text))
                               if (family := _family_of(letter)) is not None))
    return list(found)


@cache
def _family_of(letter: str) -> str | None:
    """The first family that has a letter; matplotlib's own for what has no shape, as a line end."""
    if letter.isspace() or category(letter) in ('Cc', 'Cf', 'Cs'):
        return _OWN
    for family, path, index in _fonts():
        if ord(letter) in _letters_of(path, index):
            return family
    return None


@cache
def _fonts() -> list[tuple[str, str, int]]:
    """Family, file and place in the file of every upright font, the usual ones first."""
    from matplotlib.font_manager import fontManager
    order = {name: place for place, name in enumerate((_OWN, *_USUAL))}
    upright: Iterable = (font for font in fontManager.ttflist
                         if font.style == 'normal' and not font.name.startswith(_BOXES))
    found = {font.name: (font.name, font.fname, getattr(font, 'index', 0)) for font in upright}
    return sorted(found.values(), key=lambda font: (order.get(font[0], len(order)), font[0]))


@cache
def _letters_of(path: str, index: int) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font
    try:
        font = FT2Font(path, face_index=index) if index else FT2Font(path)
        return frozenset(font.get_charmap())
    except (OSError, RuntimeError, TypeError):
        return frozenset()  # taken away since matplotlib listed it, or damaged
