"""Accuracies of classifiers, as fractions.

Axes: N images, K classes, M bins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ['Calibration', 'calibration', 'superclass_accuracy', 'topk_accuracies']


@dataclass(frozen=True)
class Calibration:
    """Confidence and accuracy by bin of confidence, and their mean distance."""

    edges: np.ndarray
    """[M + 1]; bin m holds edges[m] < confidence <= edges[m + 1]."""
    counts: np.ndarray
    """[M] int64."""
    confidence: np.ndarray
    """[M] mean of the largest probability; NaN in an empty bin."""
    accuracy: np.ndarray
    """[M]; NaN in an empty bin."""
    ece: float
    """Expected calibration error, 0 to 1."""


def topk_accuracies(scores: np.ndarray, labels: np.ndarray, topk: Sequence[int],
                    present: Sequence[int] | None = None) -> list[float]:
    """How often the right class is among the k most probable ones, for each k.

    Args:
        scores: [N, K].
        labels: [N] int.
        topk: The numbers k.
        present: Classes that count, by number; what is said of others is left aside. None for all.

    >>> scores = np.array([[0.1, 0.7, 0.2], [0.6, 0.0, 0.4]])
    >>> topk_accuracies(scores, np.array([2, 2]), [1, 2])
    [0.0, 1.0]
    >>> topk_accuracies(scores, np.array([2, 2]), [1, 2], present=[0, 2])
    [0.5, 1.0]
    """
    classes = np.arange(scores.shape[1]) if present is None else np.asarray(present)
    order_NK = classes[np.argsort(-scores[:, classes], axis=1, kind='stable')]
    right_NK = order_NK == labels[:, None]
    return [float(right_NK[:, :k].any(axis=1).mean()) for k in topk]


def superclass_accuracy(predicted: np.ndarray, labels: np.ndarray,
                        superclass_of: Sequence[int]) -> float:
    """How often the predicted class belongs to the superclass of the right one.

    Args:
        predicted: [N] int, classes.
        labels: [N] int.
        superclass_of: [K] int: the superclass of each class.

    >>> superclass_accuracy(np.array([0, 2]), np.array([1, 0]), superclass_of=[0, 0, 1])
    0.5
    """
    superclasses = np.asarray(superclass_of)
    return float((superclasses[predicted] == superclasses[labels]).mean())


def calibration(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> Calibration:
    """Compare how sure a classifier is with how often it is right.

    Args:
        confidence: [N], the largest probability of each image.
        correct: [N] bool.
        bins: M, bins of equal width between 0 and 1.

    Source: C. Guo et al., On calibration of modern neural networks, ICML 2017, equations 2 and 3:
    ECE = sum over bins of (images in the bin / all images) · |accuracy - mean confidence|.

    >>> calibration(np.array([0.75, 0.75, 0.25]), np.array([True, False, True]), bins=2).counts
    array([1, 2])
    """
    confidence = confidence.astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side='left') - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid='ignore'):
        mean = np.bincount(place, confidence, bins) / counts
        accuracy = np.bincount(place, correct, bins) / counts
    error = float(np.nansum(counts * np.abs(accuracy - mean)) / len(confidence))
    return Calibration(edges, counts, mean, accuracy, error)
