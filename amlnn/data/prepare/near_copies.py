"""Images that are nearly the same: saved again, resized, in other formats.

Each image is kept as 16 x 16 grey pixels. Those of two images whose means and whose 64 signs of
low frequencies are close are compared; where they agree, the files are read again and compared in
more detail, in parts and in colour. Only what stands all of that is a near copy: two photographs of
one scene, a cropped one or one with a text in it are none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from amlnn.data.prepare.inspect import RawImage

__all__ = ['SIDE', 'find_near_copies', 'shrink']

SIDE = 16
"""Pixels of the small images."""

# Grey levels, or shares. On photographs saved again at JPEG quality 10, or halved and saved again,
# differences are below these; the closest two of scikit-learn's digits are five times above.
_MEAN = 4
_LEAST_CONTRAST = 5
_BITS = 12
_CORRELATION = 0.98
_RELATIVE = 0.2
_ANYWHERE = 40
_IN_A_PART = 6
_IN_COLOUR = 12

_PAIRS_AT_ONCE = 4_000_000
_CLOSEST, _VAIN = 256, 5
"""How many images are compared with each, and how many of them in detail that turn out to be none:
of a film all frames are close."""


def shrink(pixels: 'np.ndarray') -> 'np.ndarray':
    """Reduce uint8 [height, width, BGR] to uint8 [SIDE, SIDE], grey."""
    import cv2
    return cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (SIDE, SIDE),
                      interpolation=cv2.INTER_AREA)


def find_near_copies(images: Iterable['RawImage'], console: 'Console') -> list[list['RawImage']]:
    """Groups of two and more images that are nearly the same, by path.

    Images from which training reads the same pixels count as one; all of them are in a group that
    holds one of them and another image. An image that is nearly the same as two others brings
    these together.

    Args:
        images: What to compare; those without `small` are in no group.
        console: Where a progress bar is drawn, if it is a terminal.
    """
    same: dict[str, list[RawImage]] = defaultdict(list)
    for image in sorted(images, key=lambda image: image.path):
        if image.small:
            same[image.pixels].append(image)
    firsts = [group[0] for group in same.values()]
    labels = _label(firsts, console)
    groups: dict[int, list[list[RawImage]]] = defaultdict(list)
    for label, group in zip(labels, same.values(), strict=True):
        groups[label].append(group)
    return sorted((sorted((image for group in members for image in group),
                          key=lambda image: image.path)
                   for members in groups.values() if len(members) > 1),
                  key=lambda group: group[0].path)


def _label(images: Sequence['RawImage'], console: 'Console') -> list[int]:
    """A number for each image, the same for near copies."""
    import numpy as np
    if len(images) < 2:
        return list(range(len(images)))
    small = np.frombuffer(b''.join(image.small for image in images), np.uint8)
    small = small.reshape(len(images), -1).astype(np.float32)
    labels = np.arange(len(images))
    for first, others in _close(small, labels, console):
        vain = 0
        for other in others:
            if labels[other] == labels[first]:
                continue
            if _agree(images[first].source, images[other].source):
                labels[labels == labels[other]] = labels[first]
            elif (vain := vain + 1) == _VAIN:
                break
    _look.cache_clear()
    return labels.tolist()


def _close(small: 'np.ndarray', labels: 'np.ndarray',
           console: 'Console') -> Iterator[tuple[int, 'np.ndarray']]:
    """Places of images and, for each, of those that may be near copies of it, the closest first.

    Sorted by their means, only neighbours need to be compared: 100,000 images take seconds. Those
    that `labels`, which may change meanwhile, has in one group already are not compared again.
    """
    import numpy as np
    from rich.progress import Progress
    means, contrasts = small.mean(1), small.std(1)
    order = np.argsort(means, kind='stable')
    order = order[contrasts[order] >= _LEAST_CONTRAST]
    signs = _signs(small)
    standard = (small - means[:, None]) / np.maximum(contrasts, 1)[:, None]
    ends = np.searchsorted(means[order], means[order] + _MEAN, side='right')
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task('comparing images', total=len(order))
        begin = 0
        while begin < len(order):
            count = min(256, len(order) - begin)
            while count > 1 and count * (ends[begin + count - 1] - begin) > _PAIRS_AT_ONCE:
                count //= 2
            rows, columns = order[begin:begin + count], order[begin:ends[begin + count - 1]]
            apart = np.bitwise_count(signs[rows, None] ^ signs[None, columns])
            apart[labels[rows, None] == labels[None, columns]] = 64
            for place in np.flatnonzero((apart <= _BITS).any(1)):
                near = place + 1 + np.flatnonzero(apart[place, place + 1:] <= _BITS)
                near = near[labels[columns[near]] != labels[rows[place]]]
                if len(near) > _CLOSEST:
                    near = near[np.argsort(apart[place, near], kind='stable')[:_CLOSEST]]
                others = columns[near]
                alike = standard[others] @ standard[rows[place]] / small.shape[1]
                closest = np.argsort(-alike, kind='stable')
                yield int(rows[place]), others[closest[alike[closest] >= _CORRELATION]]
            begin += count
            progress.update(task, completed=begin)


def _signs(small: 'np.ndarray') -> 'np.ndarray':
    """uint64 [images]: whether each of the 63 lowest frequencies is above zero."""
    import numpy as np
    place, frequency = np.arange(SIDE), np.arange(8)
    waves = np.cos(np.pi * (2 * place + 1) * frequency[:, None] / (2 * SIDE)).astype(np.float32)
    parts = []
    for begin in range(0, len(small), 10_000):
        grid = small[begin:begin + 10_000].reshape(-1, SIDE, SIDE)
        parts.append((waves @ grid @ waves.T).reshape(len(grid), 64) > 0)
    bits = np.concatenate(parts)
    bits[:, 0] = False  # the mean
    return np.packbits(bits, axis=1).view(np.uint64).reshape(-1)


def _agree(one: Path, other: Path) -> bool:
    """Compare two files in detail."""
    import cv2
    import numpy as np
    first, second = _look(one), _look(other)
    if first is None or second is None:
        return False
    # At half of its size an image shows little of what saving it did.
    side = int(np.clip(min(first[0], second[0]) // 2, SIDE, 64))
    a, b = (cv2.cvtColor(cv2.resize(each[1], (side, side), interpolation=cv2.INTER_AREA),
                         cv2.COLOR_BGR2YCrCb).astype(np.float32) for each in (first, second))
    apart = a - b
    grey = apart[..., 0]
    contrast = min(a[..., 0].std(), b[..., 0].std())
    if np.abs(grey).max() > _ANYWHERE or \
            np.sqrt((grey ** 2).mean()) > _RELATIVE * max(contrast, 1e-3):
        return False
    parts = np.abs(cv2.resize(apart, (8, 8), interpolation=cv2.INTER_AREA)).max((0, 1))
    # A photograph and its grey version are near copies.
    is_grey = any(np.abs(each[..., 1:] - 128).max() <= 2 for each in (a, b))
    return bool(parts[0] <= _IN_A_PART and (is_grey or parts[1:].max() <= _IN_COLOUR))


@lru_cache(maxsize=10_000)
def _look(path: Path) -> 'tuple[int, np.ndarray] | None':
    """The shorter side of an image, and its pixels reduced to 64 x 64; None if there are none."""
    import cv2

    from amlnn.data.images.pixels import read_pixels
    from amlnn.errors import DataError
    try:
        pixels = read_pixels(path.read_bytes())
    except (DataError, OSError):
        return None
    if pixels is None:
        return None
    return min(pixels.shape[:2]), cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)
