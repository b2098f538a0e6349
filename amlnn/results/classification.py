"""What the stored predictions of a classifier say: confusions, classes, calibration, mistakes."""

from dataclasses import dataclass

import numpy as np

from amlnn.formulas import accuracies
from amlnn.formulas.accuracies import Calibration
from amlnn.results.store import Predictions

__all__ = ['ClassScore', 'Mistake', 'calibration', 'class_scores',
           'confusion_matrix', 'confusions', 'worst_mistakes']

# N images, K classes


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


def confusion_matrix(predictions: Predictions) -> np.ndarray:
    """Return [K, K] int64 counts: the row is the true class, the column the predicted one.

    >>> predictions = tiny_run().predictions('val')
    >>> confusion_matrix(predictions)  # one cat of two was taken for a dog
    array([[1, 1],
           [0, 2]])
    """
    classes = len(predictions.classes)
    cells = predictions.labels * classes + predictions.predicted
    return np.bincount(cells, minlength=classes ** 2).reshape(classes, classes)


def class_scores(predictions: Predictions) -> list[ClassScore]:
    """Return precision, recall, F1 and the number of images of each class, in class order.

    >>> predictions = tiny_run().predictions('val')
    >>> [(each.name, round(each.precision, 2), each.recall) for each in class_scores(predictions)]
    [('cat', 1.0, 0.5), ('dog', 0.67, 1.0)]
    """
    matrix = confusion_matrix(predictions)
    right = matrix.diagonal()
    support, claimed = matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid='ignore'):
        precision, recall = right / claimed, right / support
        f1 = 2 * right / (support + claimed)
    return [ClassScore(name, float(precision[k]), float(recall[k]), float(f1[k]), int(support[k]))
            for k, name in enumerate(predictions.classes)]


def confusions(predictions: Predictions, most: int = 10) -> list[tuple[str, str, int]]:
    """Return the most frequent (true class, predicted class, count) off the diagonal.

    >>> predictions = tiny_run().predictions('val')
    >>> confusions(predictions)
    [('cat', 'dog', 1)]
    """
    matrix = confusion_matrix(predictions)
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind='stable')[:most]
    pairs = zip(*np.unravel_index(order, matrix.shape), strict=True)
    names = predictions.classes
    return [(names[row], names[column], int(matrix[row, column])) for row, column in pairs
            if matrix[row, column]]


def worst_mistakes(predictions: Predictions, most: int = 12) -> list[Mistake]:
    """Return the mistakes with the highest probability on the wrong class, worst first.

    >>> predictions = tiny_run().predictions('val')
    >>> worst_mistakes(predictions)
    [Mistake(id='val/1.png', label='cat', predicted='dog', prob=0.75)]
    """
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

    >>> predictions = tiny_run().predictions('val')
    >>> found = calibration(predictions, bins=5)
    >>> found.counts.tolist(), round(found.ece, 4)
    ([0, 0, 0, 3, 1], 0.0625)
    """
    return accuracies.calibration(predictions.probs.max(axis=1), predictions.correct, bins)
