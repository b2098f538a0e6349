"""What the page consists of, as data: `blocks.html.j2` has a macro for each block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from amlnn.report.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['Block', 'Facts', 'Fold', 'Gallery', 'Heading', 'ImageRows', 'Listing', 'Pair',
           'Picture', 'RowImage', 'Table', 'Text', 'Thumbnail', 'Thumbnails', 'Tile', 'picture',
           'pictures_in']

_BROAD = 10  # inches


@dataclass(frozen=True)
class Block:
    """A part of the page."""

    macro: ClassVar[str]


@dataclass(frozen=True)
class Heading(Block):
    """A heading inside a section."""

    macro = 'heading'
    text: str


@dataclass(frozen=True)
class Text(Block):
    """A paragraph."""

    macro = 'paragraph'
    text: str
    look: str = ''
    """'quiet' or 'error'."""


@dataclass(frozen=True)
class Picture(Block):
    """A figure: a file beside the page, and two drawings on it of which one is shown."""

    macro = 'picture'
    file: str
    alt: str
    """What it shows, for those who do not see it."""
    caption: str
    wide: str
    """An `<svg>` element, as is `narrow`."""
    narrow: str
    broad: bool = False
    """Whether the wide drawing has panels side by side, so that it needs more room than others."""


@dataclass(frozen=True)
class Pair(Block):
    """Pictures side by side where there is room."""

    macro = 'pair'
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Table(Block):
    """A table; columns after the first few are numbers."""

    macro = 'table'
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1


@dataclass(frozen=True)
class Fold(Block):
    """A table that a reader opens."""

    macro = 'fold'
    summary: str
    table: Table


@dataclass(frozen=True)
class Listing(Block):
    """The first and last rows of a long table, of which a file beside the page has all."""

    macro = 'listing'
    text: str
    """What the whole table says."""
    table: Table
    file: str
    whole: str
    """What the file has, in words."""


@dataclass(frozen=True)
class Facts(Block):
    """Names and values; `code` has the names of those that are paths, commands or hashes."""

    macro = 'facts'
    rows: Sequence[tuple[str, str]]
    code: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Thumbnail:
    """An image, or its name where it cannot be read, and what was said of it."""

    name: str
    image: str | None
    """A JPEG in base64."""
    taken: str
    sure: str
    label: str


@dataclass(frozen=True)
class Thumbnails(Block):
    """Images with captions; one file beside the page has them all."""

    macro = 'thumbnails'
    file: str
    alt: str
    images: Sequence[Thumbnail] = field(default_factory=list)


@dataclass(frozen=True)
class Tile:
    """An image, or two beside one another, and what was found."""

    names: Sequence[str]
    images: Sequence[str]
    """A JPEG in base64 for each name; '' where it cannot be read."""
    found: str
    sure: str
    label: str


@dataclass(frozen=True)
class Gallery(Block):
    """Images with what was found of each, and no file beside the page."""

    macro = 'gallery'
    alt: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class RowImage:
    """An image of a row."""

    name: str
    image: str
    """A JPEG in base64."""


@dataclass(frozen=True)
class ImageRows(Block):
    """Rows of images, each with words before it; one file beside the page has them all."""

    macro = 'image_rows'
    file: str
    alt: str
    rows: Sequence[tuple[str, Sequence[RowImage]]]


def picture(path: Path, draw: Callable[..., 'Figure'], alt: str, caption: str = '') -> Picture:
    """Write a figure's PNG, and return it for the page.

    Args:
        path: The PNG; its name without ending tells the figure from all others of the page.
        draw: Takes `path`, which may be None, and `narrow`.
        alt: What it shows.
        caption: Below it.
    """
    wide, narrow = draw(path=path), draw(path=None, narrow=True)
    return Picture(path.name, alt, caption, inline_svg(wide, path.stem),
                   inline_svg(narrow, f'{path.stem}.narrow'),
                   broad=wide.get_figwidth() > _BROAD)


def pictures_in(blocks: Sequence[Block]) -> list[Picture | Thumbnails | ImageRows]:
    """The blocks that have a file beside the page, those of pairs too, in their order."""
    found: list[Picture | Thumbnails | ImageRows] = []
    for block in blocks:
        if isinstance(block, Pair):
            found += block.pictures
        elif isinstance(block, Picture | Thumbnails | ImageRows):
            found.append(block)
    return found
