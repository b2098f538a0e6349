"""Images of which training would lose something: named, and written anew where that helps."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.data.prepare.inspect import RawFile, RawImage, in_threads, read_images
from amlnn.data.prepare.manifest import Problem

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['Range', 'convert_images', 'find_losses', 'find_ranges']

Range = tuple[float, float]

DARK = 16
"""Grey levels. A 16-bit image read with fewer is taken for one of 12 bits or less, also among
others that use the whole range."""


def find_losses(images: Sequence[RawImage]) -> list[Problem]:
    """What each image would lose, of 8-bit images in colour, as training reads it."""
    problems = []
    deep = _of_a_kind(images)
    for image in images:
        if image.deep is not None and _is_lost(image, deep[image.deep.kind]):
            values, seen = image.deep, image.deep.seen
            read = f'as 8 bits {seen} of {values.levels:,} grey levels are left' if seen else \
                'training cannot read them'
            problems.append(Problem('depth', image.path, f'{values.kind} numbers from '
                                    f'{values.low:,.9g} to {values.high:,.9g}: {read}', ''))
        elif image.alpha == 'alpha':
            problems.append(Problem('alpha', image.path, '', ''))
    named = {problem.path for problem in problems}
    same = defaultdict(list)
    for image in images:
        same[image.pixels].append(image)
    for group in same.values():
        if len({image.content for image in group}) > 1:
            problems += [Problem('difference', image.path, 'read the same as '
                                 f'{next(other.path for other in group if other is not image)}', '')
                         for image in group if image.path not in named]
    return problems


def find_ranges(images: Sequence[RawImage], lost: Iterable[str]) -> dict[str, Range]:
    """Black and white of the images to convert, by path: one range for all that belong together.

    Those whose numbers are of one kind do, so that one that is darker stays darker. It is the
    range of so many bits as they need, where they use half of it, and from the least to the
    largest otherwise; 0 to 1 and 0 to 255 of floating numbers.
    """
    lost, ranges = set(lost), {}
    for kind, group in _of_a_kind(images).items():
        if not any(image.path in lost for image in group):
            continue
        chosen = group if _span(group) < 2 ** 15 or not kind.startswith('uint16') else \
            [image for image in group if image.path in lost]
        found = _choose_range(kind, min(image.deep.low for image in chosen),
                              max(image.deep.high for image in chosen))
        ranges.update({image.path: found for image in chosen})
    return ranges


def convert_images(images: Sequence[RawImage], ranges: Mapping[str, Range], folder: Path,
                   console: 'Console') -> list[RawImage]:
    """Write images as 8-bit PNG files that every reader reads the same.

    Args:
        images: All of the data set, whose names the new ones may not take.
        ranges: From `find_ranges`; those of other paths are converted without.
        folder: Where the files go; it is made.
        console: Where a progress bar is drawn.

    Returns:
        The images as they are now, in their order; those that need no conversion unchanged.
    """
    chosen = [image for image in images
              if image.path in ranges or image.alpha == 'alpha' or image.foreign]
    if not chosen:
        return list(images)
    folder.mkdir()
    taken = {(image.part, image.file.casefold()) for image in images}
    files = []
    for number, image in enumerate(chosen):
        name = _png_name(image, taken)
        files.append((image, RawFile(image.path, folder / f'{number:08d}.png', name, image.part)))
    in_threads(lambda pair: _write_png(pair[0].source, pair[1].source, ranges.get(pair[0].path)),
               files, 'converting images', console)
    # The path keeps its old extension, of which nothing is asked.
    again, _ = read_images([file for _, file in files], console, any_extension=True)
    done = {image.path: replace(image, foreign=False) for image in again}
    return [done.get(image.path, image) for image in images]


def _of_a_kind(images: Iterable[RawImage]) -> dict[str, list[RawImage]]:
    kinds = defaultdict(list)
    for image in images:
        if image.deep is not None:
            kinds[image.deep.kind].append(image)
    return kinds


def _span(group: Sequence[RawImage]) -> float:
    return max(image.deep.high for image in group) - min(image.deep.low for image in group)


def _is_lost(image: RawImage, group: Sequence[RawImage]) -> bool:
    """Fewer than half of the levels that 8 bits could show are left, and the range is not used."""
    values = image.deep
    if values.seen == 0:
        return True
    few = values.seen < min(values.levels, 256) / 2
    return few and (_span(group) < 2 ** 15 or values.seen <= DARK)


def _choose_range(kind: str, low: float, high: float) -> Range:
    if kind.startswith('float'):
        for white in (1, 255):
            if low >= 0 and white / 2 < high <= white:
                return 0, white
    elif ' up to ' in kind:
        return 0, float(kind.rpartition(' ')[2])
    elif low >= 0:
        white = 2 ** max(8, int(high).bit_length()) - 1
        if high - low >= white / 2:
            return 0, white
    return low, high if high > low else low + 1


def _png_name(image: RawImage, taken: set[tuple[str, str]]) -> str:
    stem, dot, ending = image.file.rpartition('.')
    if dot and ending.lower() == 'png':
        return image.file
    name = f'{stem if dot else image.file}.png'
    if (image.part, name.casefold()) in taken:
        name = f'{image.file}.png'
    taken.add((image.part, name.casefold()))
    return name


def _write_png(source: Path, target: Path, deep_range: Range | None) -> None:
    import cv2

    from amlnn.data.images.pixels import read_pixels
    pixels = read_pixels(source.read_bytes(), deep_range)
    if (pixels[..., :1] == pixels).all():
        pixels = pixels[..., 0]  # a third of the bytes, and read the same
    target.write_bytes(cv2.imencode('.png', pixels)[1].tobytes())
