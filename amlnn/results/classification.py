"""What the stored predictions of a classifier say: confusions, classes, calibration, mistakes."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.formulas import accuracies
from amlnn.formulas.accuracies import Calibration
from amlnn.formulas.log_loss import log_loss
from amlnn.formulas.selective import Selective, selective, threshold_for
from amlnn.formulas.temperature import fit_temperature, with_temperature
from amlnn.results.store import Predictions

__all__ = ['Answered', 'ClassScore', 'Mistake', 'Tempered', 'answered', 'calibration',
           'class_scores', 'confusion_matrix', 'confusions', 'tempered', 'worst_mistakes']

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


@dataclass(frozen=True)
class Tempered:
    """Calibration before and after one fitted number makes all answers less sure, or surer."""

    temperature: float
    """Above 1: the classifier is surer than it is right."""
    before: Calibration
    after: Calibration
    loss_before: float
    """Mean of -log p of the true class, nats."""
    loss_after: float


def tempered(predictions: Predictions, other: Predictions | None = None,
             bins: int = 15) -> Tempered:
    """Calibrate by a temperature, on images on which it was not fitted.

    Args:
        predictions: That are judged.
        other: That it is fitted on. Without, each half of the images is judged with the temperature
            of the other half, and `temperature` is that of all.
        bins: As of `calibration`.

    >>> found = tempered(tiny_run().predictions('val'))
    >>> found.before.ece == calibration(tiny_run().predictions('val')).ece, found.temperature > 0
    (True, True)
    """
    if other is not None:
        temperature = fit_temperature(other.probs, other.labels)
        probs = with_temperature(predictions.probs, temperature)
    else:
        temperature = fit_temperature(predictions.probs, predictions.labels)
        probs = predictions.probs.astype(np.float64)
        half = _halves(predictions.ids)
        for fitted, judged in ((half, ~half), (~half, half)):
            if fitted.any() and judged.any():
                of_half = fit_temperature(predictions.probs[fitted], predictions.labels[fitted])
                probs[judged] = with_temperature(predictions.probs[judged], of_half)
    after = accuracies.calibration(probs.max(axis=1), predictions.correct, bins)
    return Tempered(temperature, calibration(predictions, bins), after,
                    log_loss(predictions.probs, predictions.labels),
                    log_loss(probs, predictions.labels))


def _halves(ids: np.ndarray) -> np.ndarray:
    """[N] bool, half of the images, the same at every call and in any order."""
    rank = np.argsort(np.argsort([zlib.crc32(str(name).encode()) for name in ids], kind='stable'))
    return np.asarray(rank % 2 == 0)


@dataclass(frozen=True)
class Answered:
    """What is answered rightly where an image of which the classifier is less sure is not."""

    wanted: float
    """Accuracy, 0 to 1."""
    threshold: float
    """Of the largest probability, cut after three digits."""
    images: int
    """That are answered."""
    right: int
    """Of them."""


def answered(predictions: Predictions, wanted: Sequence[float], other: Predictions | None = None
             ) -> tuple[Selective, list[Answered]]:
    """Accuracy against the share that is answered, and thresholds for wanted accuracies.

    Args:
        predictions: That are judged.
        wanted: Accuracies. Those are left out that no threshold gives.
        other: That thresholds are chosen on; without, on those that are judged, which flatters.

    >>> curve, found = answered(tiny_run().predictions('val'), [0.9])
    >>> found
    [Answered(wanted=0.9, threshold=1.0, images=1, right=1)]
    """
    confidence = predictions.probs.max(axis=1)
    curve = selective(confidence, predictions.correct)
    chooser = curve if other is None else selective(other.probs.max(axis=1), other.correct)
    found = []
    for accuracy in wanted:
        chosen = threshold_for(chooser, accuracy)
        if chosen is not None:
            # Cut, not rounded: the least sure of those answered still is.
            threshold = math.floor(round(1000 * chosen.threshold, 6)) / 1000
            taken = confidence >= threshold
            found.append(Answered(accuracy, threshold, int(taken.sum()),
                                  int(predictions.correct[taken].sum())))
    return curve, found
