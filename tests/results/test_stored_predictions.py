"""Scores from predictions, against scikit-learn and by hand."""

import math

import numpy as np
import pytest
from run_folders import write_predictions
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix
from sklearn.metrics import precision_recall_fscore_support

from amlnn.results.classification import (
    calibration,
    class_scores,
    confusion_matrix,
    confusions,
    worst_mistakes,
)
from amlnn.results.store import Predictions, read_predictions


@pytest.fixture
def predictions(tmp_path) -> Predictions:
    write_predictions(tmp_path, n=400, accuracy=0.7)
    return read_predictions(tmp_path / 'predictions_val.npz')


def by_hand(labels, probs, classes='ab') -> Predictions:
    return Predictions(np.array([f'{n}.jpg' for n in range(len(labels))]), np.array(labels),
                       np.array(probs, dtype=np.float32), list(classes))


def test_the_confusion_matrix_is_scikit_learns(predictions):
    expected = sklearn_confusion_matrix(predictions.labels, predictions.probs.argmax(axis=1))
    np.testing.assert_array_equal(confusion_matrix(predictions), expected)


def test_class_scores_are_scikit_learns(predictions):
    expected = precision_recall_fscore_support(predictions.labels, predictions.probs.argmax(axis=1))
    scores = class_scores(predictions)
    assert [score.name for score in scores] == predictions.classes
    for score, *values in zip(scores, *expected, strict=True):
        assert (score.precision, score.recall, score.f1) == pytest.approx(values[:3])
        assert score.support == values[3]


def test_a_class_never_seen_and_one_never_predicted_have_no_score_to_show():
    scores = class_scores(by_hand([0, 1], [[1, 0, 0], [1, 0, 0]], 'abc'))
    assert math.isnan(scores[1].precision) and scores[1].recall == 0 and scores[1].f1 == 0
    assert math.isnan(scores[2].precision) and math.isnan(scores[2].recall)
    assert math.isnan(scores[2].f1)


def test_the_most_frequent_confusions_come_first():
    predictions = by_hand([0, 0, 1, 1], [[0, 1], [0, 1], [1, 0], [0, 1]])
    assert confusions(predictions) == [('a', 'b', 2), ('b', 'a', 1)]


def test_the_surest_mistakes_come_first():
    predictions = by_hand([0, 0, 1, 1], [[0.4, 0.6], [0.9, 0.1], [0.8, 0.2], [0.75, 0.25]])
    first, second = worst_mistakes(predictions, 2)
    assert (first.id, first.label, first.predicted) == ('2.jpg', 'b', 'a')
    assert first.prob == pytest.approx(0.8)
    assert second.id == '3.jpg'
    assert len(worst_mistakes(predictions)) == 3


def test_the_calibration_error_is_the_sum_by_hand():
    # Bin (0.5, 0.6]: confidence 0.55 and 0.57, one right; bin (0.8, 0.9]: 0.85 and 0.85, both.
    predictions = by_hand([0, 1, 0, 0], [[0.55, 0.45], [0.57, 0.43], [0.85, 0.15], [0.85, 0.15]])
    result = calibration(predictions, bins=10)
    assert result.ece == pytest.approx(0.5 * abs(0.5 - 0.56) + 0.5 * abs(1 - 0.85))
    assert result.counts.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]
    assert math.isnan(result.accuracy[0])


def test_the_bins_of_the_calibration_are_scikit_learns(predictions):
    accuracy, confidence = calibration_curve(predictions.correct, predictions.probs.max(axis=1),
                                             n_bins=15)
    result = calibration(predictions, bins=15)
    filled = result.counts > 0
    np.testing.assert_allclose(result.accuracy[filled], accuracy)
    np.testing.assert_allclose(result.confidence[filled], confidence)


def test_full_confidence_lies_in_the_last_bin():
    result = calibration(by_hand([0, 0], [[1, 0], [1, 0]]), bins=4)
    assert result.counts.tolist() == [0, 0, 0, 2] and result.ece == 0
