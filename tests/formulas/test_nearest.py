"""Votes of the nearest are scikit-learn's."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from amlnn.formulas import neighbours
from amlnn.formulas.neighbours import nearest_votes
from amlnn.formulas.standardised import unit_rows


@pytest.mark.parametrize('pairs', [1 << 24, 100])
def test_votes_are_scikit_learns_for_every_k(monkeypatch, pairs):
    monkeypatch.setattr(neighbours, '_PAIRS', pairs)  # in one piece, and in many
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(80, 6)), random.integers(0, 5, 80)
    queries, ks = random.normal(size=(33, 6)), [1, 3, 10]
    votes = nearest_votes(x, labels, queries, 5, ks)
    for k, found in zip(ks, votes, strict=True):
        known = KNeighborsClassifier(k).fit(x, labels)
        np.testing.assert_allclose(found / k, known.predict_proba(queries), atol=1e-6)
        assert np.array_equal(found.argmax(1), known.predict(queries))


def test_of_rows_of_length_1_the_nearest_is_that_of_the_least_angle():
    random = np.random.default_rng(0)
    x, labels, queries = random.normal(size=(80, 6)), random.integers(0, 5, 80), \
        random.normal(size=(33, 6))
    votes = nearest_votes(unit_rows(x), labels, unit_rows(queries), 5, [4])[0]
    known = KNeighborsClassifier(4, metric='cosine', algorithm='brute').fit(x, labels)
    np.testing.assert_allclose(votes / 4, known.predict_proba(queries), atol=1e-6)
