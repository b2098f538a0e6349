"""What the stored predictions of a classifier say: confusions, classes, calibration, mistakes."""

from dataclasses import dataclass

import numpy as np

from amlnn.results.store import Predictions

__all__ = ['Calibration', 'ClassScore', 'Mistake', 'calibration', 'class_scores',
           'confusion_matrix', 'confusions', 'worst_mistakes']

# N images, K classes, M bins


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class, 0 to 1; NaN where the denominator is 0."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Mistake:
    """One image that was classified wrongly."""

    id: str
    label: str
    predicted: str
    prob: float
    """Of the predicted, wrong class."""


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


def confusion_matrix(predictions: Predictions) -> np.ndarray:
    """Return [K, K] int64 counts: the row is the true class, the column the predicted one."""
    classes = len(predictions.classes)
    cells = predictions.labels * classes + predictions.predicted
    return np.bincount(cells, minlength=classes ** 2).reshape(classes, classes)


def class_scores(predictions: Predictions) -> list[ClassScore]:
    """Return precision, recall, F1 and the number of images of each class, in class order."""
    matrix = confusion_matrix(predictions)
    right = matrix.diagonal()
    support, claimed = matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid='ignore'):
        precision, recall = right / claimed, right / support
        f1 = 2 * right / (support + claimed)
    return [ClassScore(name, float(precision[k]), float(recall[k]), float(f1[k]), int(support[k]))
            for k, name in enumerate(predictions.classes)]


def confusions(predictions: Predictions, most: int = 10) -> list[tuple[str, str, int]]:
    """Return the most frequent (true class, predicted class, count) off the diagonal."""
    matrix = confusion_matrix(predictions)
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind='stable')[:most]
    pairs = zip(*np.unravel_index(order, matrix.shape), strict=True)
    names = predictions.classes
    return [(names[row], names[column], int(matrix[row, column])) for row, column in pairs
            if matrix[row, column]]


def worst_mistakes(predictions: Predictions, most: int = 12) -> list[Mistake]:
    """Return the mistakes with the highest probability on the wrong class, worst first."""
    wrong = np.flatnonzero(~predictions.correct)
    predicted = predictions.predicted
    prob = predictions.probs[wrong, predicted[wrong]]
    names = predictions.classes
    return [Mistake(str(predictions.ids[n]), names[predictions.labels[n]], names[predicted[n]],
                    float(predictions.probs[n, predicted[n]]))
            for n in wrong[np.argsort(-prob, kind='stable')[:most]]]


def calibration(predictions: Predictions, bins: int = 15) -> Calibration:
    """Compare how sure the classifier is with how often it is right.

    Args:
        predictions: Of one run.
        bins: Number of bins of equal width between 0 and 1.

    Source: C. Guo et al., On calibration of modern neural networks, ICML 2017, equations 2 and 3:
    ECE = sum over bins of (images in the bin / all images) · |accuracy - mean confidence|.
    """
    confidence = predictions.probs.max(axis=1).astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side='left') - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid='ignore'):
        mean = np.bincount(place, confidence, bins) / counts
        accuracy = np.bincount(place, predictions.correct, bins) / counts
    error = float(np.nansum(counts * np.abs(accuracy - mean)) / len(confidence))
    return Calibration(edges, counts, mean, accuracy, error)
