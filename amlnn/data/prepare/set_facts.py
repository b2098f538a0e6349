"""What is odd about images taken together: how many a class has, and which are in colour."""

from collections import Counter
from collections.abc import Iterable, Sequence

from amlnn.data.prepare.inspect import RawImage
from amlnn.data.prepare.kinds import IMBALANCE
from amlnn.data.prepare.manifest import Problem

__all__ = ['find_few', 'find_imbalance', 'find_mixed']

FEW_IMAGES = 10
"""A class with fewer is reported."""


def find_few(classes: Iterable[str], images: Iterable[RawImage]) -> list[Problem]:
    """Classes with very few images."""
    totals = Counter(image.class_name for image in images)
    return [Problem('few-images', name, f'{totals[name]} images', 'kept')
            for name in classes if totals[name] < FEW_IMAGES]


def find_imbalance(images: Iterable[RawImage]) -> list[Problem]:
    """Classes that are far smaller than the largest, which a model may never predict."""
    totals = Counter(image.class_name for image in images)
    if not totals:
        return []
    largest, most = min(totals.items(), key=lambda item: (-item[1], item[0]))
    return [Problem('imbalance', name, f'{count:,} images, {largest} has {most:,}', 'kept')
            for name, count in sorted(totals.items()) if count * IMBALANCE <= most]


def find_mixed(images: Sequence[RawImage]) -> list[Problem]:
    """The images of the rarer sort, of grey ones and ones in colour by their files' headers."""
    grey = [image for image in images if image.grey]
    colour = [image for image in images if not image.grey]
    if not grey or not colour:
        return []
    rarer, detail = (grey, f'grey, {len(colour):,} are in colour') if len(grey) <= len(colour) \
        else (colour, f'in colour, {len(grey):,} are grey')
    return [Problem('mixed', image.path, detail, 'kept') for image in rarer]
