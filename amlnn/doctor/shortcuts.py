"""Whether classes are told by what no class is about: size, type, border or brightness of images.

A network learns such a fact where it helps, and fails on images without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from amlnn.data.prepare.inspect import RawImage
from amlnn.data.prepare.near_copies import SIDE
from amlnn.formulas.folds import grouped_folds
from amlnn.formulas.proportions import wilson

__all__ = ['Shortcut', 'find_shortcuts', 'image_facts']

_LEAST = 20
_LEAVES = 64
_SHOWN = 3


@dataclass(frozen=True)
class Shortcut:
    """Facts that tell classes better than chance."""

    fact: str
    accuracy: float
    """Share of images whose class a tree finds that sees this alone, and was grown on others."""
    low: float
    high: float
    """Its 95 % interval."""
    chance: float
    """Share of the largest class."""
    told: list[tuple[int, float, float]]
    """The classes that are told best: number, share of its images found, share of what is taken for
    it that is of it."""


def image_facts(images: Sequence[RawImage]) -> dict[str, np.ndarray]:
    """What is known of every image without looking at what it shows, float [N, few] by name."""
    small = np.frombuffer(b''.join(image.small or bytes(SIDE ** 2) for image in images),
                          np.uint8).reshape(-1, SIDE, SIDE).astype(np.float32)
    inner = np.zeros((SIDE, SIDE), bool)
    inner[1:-1, 1:-1] = True
    ring, middle, contrast = small[:, ~inner], small[:, inner], small.std((1, 2))
    sides = np.stack([small[:, 0], small[:, -1], small[:, :, 0], small[:, :, -1]], axis=1)
    endings = [PurePosixPath(image.path).suffix.lower() for image in images]
    numbers = {ending: number for number, ending in enumerate(sorted(set(endings)))}
    return {
        'image size': np.array([[image.width, image.height, image.width / image.height]
                                for image in images], np.float64),
        'file type': np.array([[numbers[ending], image.grey, bool(image.alpha),
                                image.deep is not None, len(image.facts)]
                               for image, ending in zip(images, endings, strict=True)], np.float64),
        # In units of the image's own contrast: a dark image has no border for that.
        'border': np.stack([ring.std(1), sides.std(2).min(1),
                            np.abs(ring.mean(1) - middle.mean(1))], 1) / (contrast[:, None] + 1),
        'brightness': np.stack([small.mean((1, 2)), contrast], axis=1),
    }


def find_shortcuts(facts: Mapping[str, np.ndarray], labels_N: np.ndarray, group_N: np.ndarray,
                   folds: int = 5, seed: int = 0) -> list[Shortcut]:
    """The facts by which alone classes are told better than by always naming the largest.

    A classification tree of up to 64 leaves is grown on the other folds; copies are in one fold.

    Args:
        facts: From `image_facts`.
        labels_N: int [N].
        group_N: int [N], the same number for copies.
        folds: Into which the images are divided.
        seed: Of the division.
    """
    from sklearn.tree import DecisionTreeClassifier
    count_K = np.bincount(labels_N)
    if len(labels_N) < _LEAST or (count_K > 0).sum() < 2:
        return []
    fold_N = grouped_folds(labels_N, group_N, folds, seed)
    chance, found = float(count_K.max() / len(labels_N)), []
    for name, values in facts.items():
        if not (values != values[:1]).any():
            continue
        told_N = np.empty_like(labels_N)
        for fold in np.unique(fold_N):
            here = fold_N == fold
            tree = DecisionTreeClassifier(max_leaf_nodes=_LEAVES, min_samples_leaf=5,
                                          random_state=seed)
            told_N[here] = tree.fit(values[~here], labels_N[~here]).predict(values[here])
        right = float((told_N == labels_N).mean())
        low, high = wilson(right, len(labels_N))
        if low > chance:
            found.append(Shortcut(name, right, low, high, chance, _told(told_N, labels_N)))
    return sorted(found, key=lambda each: -each.accuracy)


def _told(told_N: np.ndarray, labels_N: np.ndarray) -> list[tuple[int, float, float]]:
    """The classes for which both shares are largest."""
    rows = []
    for label in np.unique(labels_N):
        both = int(((told_N == label) & (labels_N == label)).sum())
        taken = int((told_N == label).sum())
        rows.append((int(label), both / int((labels_N == label).sum()), both / max(taken, 1)))
    return sorted(rows, key=lambda row: -min(row[1:]))[:_SHOWN]
