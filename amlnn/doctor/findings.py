"""What a doctor advises, image by image: a row of the table that `--fixes` applies."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from amlnn.data.prepare.fixes import COLUMNS
from amlnn.doctor.files import Files
from amlnn.doctor.labels import LabelJudgement

__all__ = ['REASONS', 'Finding', 'find_all', 'table_text']

REASONS = {
    'damaged': 'training cannot read it',
    'same-image': 'the pixels of another image',
    'near-duplicate': 'nearly the same as another image',
    'mislabelled': 'most likely of another class',
    'outlier': 'unlike all of its class',
}
"""In this order: an image has the first one that fits."""

_BY_PIXELS = 0.95
"""Score of a near copy that its features alone would not have told."""

_JUDGED_FIRST = {'test': 0, 'val': 1, 'train': 2}


@dataclass(frozen=True)
class Finding:
    """An image, and what to do with it."""

    id: str
    """Its path below the folder."""
    label: str
    suggestion: str
    """The class that it should have; '' to leave it out."""
    reason: str
    """Of REASONS."""
    score: float
    """How sure that is, 0 to 1; within a reason it orders."""
    other: str = ''
    """The image that it is a copy of."""
    apart: bool = False
    """That one is in another part, or of another class."""


def find_all(files: Files, judged: LabelJudgement) -> list[Finding]:
    """Everything that is found, the surest first within each reason.

    Args:
        files: The folder.
        judged: Its labels, image by image.
    """
    found = {path: Finding(path, name, '', 'damaged', 1.0)
             for path, name in files.damaged.items()}
    for finding in chain(_copies(files, judged), _mislabelled(files, judged),
                         _outliers(files, judged)):
        found.setdefault(finding.id, finding)
    order = list(REASONS)
    return sorted(found.values(), key=lambda each: (order.index(each.reason), -each.score, each.id))


def table_text(findings: Iterable[Finding]) -> str:
    """The table as CSV, a row a finding."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(COLUMNS)
    writer.writerows((each.id, each.label, each.suggestion, each.reason, f'{each.score:.4f}')
                     for each in findings)
    return text.getvalue()


def _copies(files: Files, judged: LabelJudgement) -> Iterable[Finding]:
    """All images of a group of copies but one: that of the most probable label, then the one by
    which a model is judged, then the first."""
    cosines = {(int(one), int(other)): float(cosine) for (one, other), cosine
               in zip(judged.near_pairs, judged.near_cosines, strict=True)}
    for places in _groups(judged.group):
        kept = _kept(files, judged, places)
        for place in places:
            if place == kept:
                continue
            image, other = files.images[place], files.images[kept]
            same = image.pixels == other.pixels
            alike = cosines.get((min(place, kept), max(place, kept)), _BY_PIXELS)
            yield Finding(image.path, image.class_name, '',
                          'same-image' if same else 'near-duplicate', 1.0 if same else alike,
                          other.path, image.part != other.part
                          or image.class_name != other.class_name)


def _kept(files: Files, judged: LabelJudgement, places: Sequence[int]) -> int:
    """Which image of a group is not left out."""
    def rank(place: int) -> tuple[float, int, str]:
        image = files.images[place]
        # The same for images of one label.
        fits = float(judged.probability[list(places), files.labels[place]].mean())
        return -fits, _JUDGED_FIRST.get(image.part, 0), image.path

    return min(places, key=rank)


def _groups(group_N: np.ndarray) -> list[list[int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(group_N.tolist()):
        members[group].append(place)
    return [places for places in members.values() if len(places) > 1]


def _mislabelled(files: Files, judged: LabelJudgement) -> Iterable[Finding]:
    for place in np.flatnonzero(judged.suspect):
        image = files.images[place]
        yield Finding(image.path, image.class_name,
                      files.classes[int(judged.suggestion[place])], 'mislabelled',
                      1 - float(judged.own[place]))


def _outliers(files: Files, judged: LabelJudgement) -> Iterable[Finding]:
    """Scores are shares of the distance that are more than what is usual in the class."""
    for place in np.flatnonzero(judged.outlier):
        image = files.images[place]
        usual = float(np.median(judged.distance[files.labels == files.labels[place]]))
        yield Finding(image.path, image.class_name, '', 'outlier',
                      1 - usual / max(float(judged.distance[place]), 1e-9))
