"""Accuracy of the images that are answered, where those of which one is least sure are not.

Axes: N images, M thresholds.
"""

from typing import NamedTuple

import numpy as np

__all__ = ['Selective', 'Threshold', 'selective', 'threshold_for']


class Selective(NamedTuple):
    """What is answered at each threshold, the strictest first."""

    threshold: np.ndarray
    """[M] float64, descending: images at least as sure are answered."""
    share: np.ndarray
    """[M], of all images that is answered, rising to 1."""
    accuracy: np.ndarray
    """[M], of those that are answered."""

    @property
    def risk(self) -> float:
        """Mean share of wrong answers over all shares answered; 0 where none is wrong.

        Source: Y. Geifman and R. El-Yaniv, Selective classification for deep neural networks, NIPS
        2017: the area under the risk-coverage curve.
        """
        widths = np.diff(self.share, prepend=0.0)
        return float(((1 - self.accuracy) * widths).sum())


class Threshold(NamedTuple):
    """A threshold and what it brings on the images that it was found on."""

    threshold: float
    share: float
    accuracy: float


def selective(confidence: np.ndarray, correct: np.ndarray) -> Selective:
    """Accuracy against the share answered, at every confidence that there is.

    Args:
        confidence: [N], how sure each answer is.
        correct: [N] bool, whether it is right.

    >>> found = selective(np.array([0.9, 0.6, 0.9, 0.5]), np.array([True, False, True, True]))
    >>> found.threshold.tolist(), found.share.tolist(), found.accuracy.round(2).tolist()
    ([0.9, 0.6, 0.5], [0.5, 0.75, 1.0], [1.0, 0.67, 0.75])
    >>> round(found.risk, 4)
    0.1458
    """
    order = np.argsort(-confidence, kind='stable')
    sorted_, right = confidence[order].astype(np.float64), np.cumsum(correct[order])
    last = np.append(np.flatnonzero(np.diff(sorted_)), len(sorted_) - 1)  # of equals, all or none
    return Selective(sorted_[last], (last + 1) / len(sorted_), right[last] / (last + 1))


def threshold_for(found: Selective, wanted: float) -> Threshold | None:
    """The threshold that answers the most with a wanted accuracy; None where there is none.

    Args:
        found: From `selective`.
        wanted: Accuracy of those that are answered, 0 to 1.

    >>> found = selective(np.array([0.9, 0.6, 0.9, 0.5]), np.array([True, False, True, True]))
    >>> threshold_for(found, 0.7)
    Threshold(threshold=0.5, share=1.0, accuracy=0.75)
    >>> threshold_for(found, 0.9)
    Threshold(threshold=0.9, share=0.5, accuracy=1.0)
    """
    good = np.flatnonzero(found.accuracy >= wanted)
    if not len(good):
        return None
    place = good[-1]
    return Threshold(*(float(each[place]) for each in found))
