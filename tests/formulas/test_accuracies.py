"""Accuracies, against scikit-learn and hand arithmetic."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from amlnn.formulas.accuracies import calibration, superclass_accuracy, topk_accuracies

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 6, 200)
SCORES = RANDOM.random((200, 6))


def test_the_right_class_among_the_first_k_is_counted_as_scikit_learn_does():
    found = topk_accuracies(SCORES, LABELS, [1, 2, 5])
    assert found == pytest.approx([top_k_accuracy_score(LABELS, SCORES, k=k, labels=range(6))
                                   for k in (1, 2, 5)])


def test_absent_classes_are_left_aside():
    present = [1, 4]
    labels = np.where(LABELS < 3, 1, 4)
    best = np.where(SCORES[:, 1] >= SCORES[:, 4], 1, 4)
    assert topk_accuracies(SCORES, labels, [1, 2], present) == [accuracy_score(labels, best), 1.0]


def test_a_superclass_is_right_as_often_as_its_numbers_agree():
    superclass_of = [0, 1, 1, 2, 2, 2]
    predicted = SCORES.argmax(axis=1)
    assert superclass_accuracy(predicted, LABELS, superclass_of) == accuracy_score(
        [superclass_of[label] for label in LABELS], [superclass_of[each] for each in predicted])


def test_calibration_by_hand():
    # Two bins: one image at 0.3, right; three above 0.5 with a mean of 0.8, one of them right.
    found = calibration(np.array([0.3, 0.7, 0.8, 0.9]), np.array([True, False, True, False]), 2)
    assert found.counts.tolist() == [1, 3]
    assert found.confidence == pytest.approx([0.3, 0.8])
    assert found.accuracy == pytest.approx([1, 1 / 3])
    assert found.ece == pytest.approx((1 * 0.7 + 3 * (0.8 - 1 / 3)) / 4)


def test_an_edge_belongs_to_the_bin_below_and_an_empty_bin_is_nan():
    found = calibration(np.array([0.5, 1.0]), np.array([True, True]), 4)
    assert found.counts.tolist() == [0, 1, 0, 1]
    assert np.isnan(found.accuracy[[0, 2]]).all()
