"""The formulas that judge labels, against plain loops, scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from amlnn.formulas.class_pairs import pair_intervals, pairwise_recall
from amlnn.formulas.close_images import (
    close_pairs,
    coordinates,
    far_out,
    linked,
    nearest,
    own_class_distance,
)
from amlnn.formulas.folds import grouped_folds
from amlnn.formulas.ridge_folds import class_probabilities, fold_scores
from amlnn.formulas.standardised import blocks, standardise


def features(images=300, columns=20, classes=4, seed=0):
    """Normal clouds about a centre a class, and their labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, images)
    centres = generator.normal(size=(classes, columns))
    return (centres[labels] + generator.normal(size=(images, columns))).astype(np.float32), labels


def test_columns_are_standardised_as_scikit_learn_does_in_blocks_too(monkeypatch):
    given, _ = features()
    given = given * 1000 + 5
    given[:, 3] = 7.7
    expected = StandardScaler().fit_transform(given.astype(np.float64))
    expected[:, 3] = 0
    monkeypatch.setattr('amlnn.formulas.standardised.blocks', lambda count: blocks(count, 7))
    found = standardise(given)
    np.testing.assert_allclose(found.rows(slice(None)), expected, atol=2e-5)
    np.testing.assert_allclose(found.rows(np.array([5, 2])), expected[[5, 2]], atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(found.unit_rows(slice(0, 9)), axis=1), 1, rtol=1e-6)


def test_no_fold_has_an_image_of_a_group_in_another_and_classes_are_dealt_evenly():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, 200)
    groups = generator.integers(0, 120, 200)
    found = grouped_folds(labels, groups, 5)
    assert all(len(set(found[groups == group])) == 1 for group in set(groups))
    assert set(found) == set(range(5))
    alone = grouped_folds(labels, np.arange(200), 5)
    for label in range(3):
        counts = np.bincount(alone[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(alone, grouped_folds(labels, np.arange(200), 5, seed=1))


@pytest.mark.parametrize('columns', [20, 400])
def test_scores_are_those_of_a_ridge_regression_on_the_other_folds(columns):
    given, labels = features(columns=columns)
    fold = grouped_folds(labels, np.arange(300), 5)
    scaled = standardise(given)
    found, strength = fold_scores(scaled, labels, 4, fold, (0.1,))
    rows = scaled.rows(slice(None)).astype(np.float64)
    expected = np.empty((300, 4))
    for each in range(5):
        here = fold == each
        fitted = Ridge(alpha=0.1 * (~here).sum()).fit(rows[~here], np.eye(4)[labels[~here]])
        expected[here] = fitted.predict(rows[here])
    assert strength == 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_penalty_is_that_with_the_least_squared_error_on_the_first_folds():
    given, labels = features(images=200, columns=150)
    fold = grouped_folds(labels, np.arange(200), 5)
    scaled = standardise(given)
    asked = (1e-4, 0.01, 1.0, 100.0)
    first = fold < 2
    errors = []
    for each in asked:
        scores, _ = fold_scores(scaled, labels, 4, fold, (each,))
        errors.append(((scores[first] - np.eye(4)[labels[first]]) ** 2).sum())
    assert fold_scores(scaled, labels, 4, fold, asked)[1] == asked[int(np.argmin(errors))]
    assert np.argmin(errors) in (1, 2)


def test_probabilities_are_the_best_of_a_temperature_and_an_offset_a_class():
    from scipy.optimize import minimize
    generator = np.random.default_rng(0)
    labels = generator.choice(3, 500, p=[0.7, 0.2, 0.1])
    scores = (np.eye(3)[labels] * 0.5 + generator.normal(scale=0.4, size=(500, 3))).astype('f')
    scores[:, 2] += 1  # of a class that is scored too high

    def loss(point):
        logits = point[0] * scores + np.append(point[1:], 0)
        raised = np.exp(logits - logits.max(1, keepdims=True))
        return log_loss(labels, raised / raised.sum(1, keepdims=True), labels=[0, 1, 2])

    best = minimize(loss, [1.0, 0, 0]).fun
    found = class_probabilities(scores, labels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    assert -np.log(found[np.arange(500), labels]).mean() == pytest.approx(best, abs=2e-4)
    np.testing.assert_allclose(found.sum(0), np.bincount(labels), rtol=0.01)


def test_probabilities_of_scores_that_never_err_are_sure_and_finite():
    labels = np.arange(40) % 2
    found = class_probabilities(np.eye(2, dtype=np.float32)[labels], labels)
    assert np.isfinite(found).all() and (found[np.arange(40), labels] > 0.99).all()


def test_pairs_are_all_those_of_a_plain_search():
    given, _ = features(images=600, columns=60)
    given[100:130] = given[:30] + 0.05 * given[200:230]
    scaled = standardise(given)
    rows = scaled.unit_rows(slice(None))
    cosines = np.triu(rows @ rows.T, 1)
    for directions in (8, 128):
        few = coordinates(scaled, directions)
        assert few.shape == (600, min(directions, 60) + 1)
        found, alike = close_pairs(scaled, few, 0.9)
        assert found.tolist() == np.argwhere(cosines >= 0.9).tolist() and len(found) >= 30
        np.testing.assert_allclose(alike, cosines[tuple(found.T)], atol=1e-5)


def test_pairs_across_blocks_are_found(monkeypatch):
    given, _ = features(images=300)
    given[250], given[299] = given[3], given[120]
    scaled = standardise(given)
    monkeypatch.setattr('amlnn.formulas.close_images._ROWS', 16)
    monkeypatch.setattr('amlnn.formulas.close_images._COLUMNS', 32)
    found, _ = close_pairs(scaled, coordinates(scaled), 0.999)
    assert found.tolist() == [[3, 250], [120, 299]]
    rows = scaled.unit_rows(slice(None))
    dots = rows @ rows.T
    np.fill_diagonal(dots, -9)
    np.testing.assert_allclose(nearest(scaled), dots.max(1), rtol=1e-5)
    asked = np.linspace(0, 299, 7).astype(int)
    np.testing.assert_allclose(nearest(scaled, 7), dots.max(1)[asked], rtol=1e-5)


def test_of_an_image_with_hundreds_of_copies_some_pairs_are_enough_to_link_them():
    given, _ = features(images=400)
    given[100:] = given[0]
    scaled = standardise(given)
    found, _ = close_pairs(scaled, coordinates(scaled), 0.99)
    assert len(found) <= 400 * 64
    groups = linked(400, found)
    assert len(set(groups[100:])) == 1 and groups[0] == groups[100] and len(set(groups)) == 100


def test_groups_are_the_connected_components():
    generator = np.random.default_rng(3)
    for count, edges in ((1, 0), (50, 10), (500, 400), (500, 5000)):
        pairs = generator.integers(0, count, (edges, 2))
        graph = coo_array((np.ones(edges), pairs.T), shape=(count, count))
        number, expected = connected_components(graph, directed=False)
        found = linked(count, pairs)
        assert len(set(found)) == number
        assert len({*zip(found.tolist(), expected.tolist(), strict=True)}) == number
    path = np.stack([np.arange(999), np.arange(1, 1000)], 1)[::-1]
    assert set(linked(1000, path)) == {0}


@pytest.mark.parametrize('directions', [1, 4, 128])
def test_images_that_a_chain_of_like_ones_links_are_those_of_a_plain_search(directions):
    given, _ = features(images=80, columns=30)
    generator = np.random.default_rng(1)
    for one, other in ((7, 3), (30, 7), (12, 35), (60, 61), (62, 61)):
        given[one] = given[other] + 0.15 * generator.normal(size=30)
    scaled = standardise(given)
    rows = StandardScaler().fit_transform(given.astype(np.float64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    alike = coo_array(rows @ rows.T >= 0.95)
    number, expected = connected_components(alike, directed=False)
    assert number < 77  # some are alike
    pairs, _ = close_pairs(scaled, coordinates(scaled, directions), 0.95)
    found = linked(80, pairs)
    assert len({*zip(found.tolist(), expected.tolist(), strict=True)}) == number


def test_distances_to_the_own_class_are_those_of_a_plain_loop():
    given, labels = features(images=150)
    few = coordinates(standardise(given))
    labels[0] = 9
    found = own_class_distance(few, labels, 10)
    assert np.isnan(found[0])
    for place in range(1, 150):
        others = [few[place] @ few[other] for other in range(150)
                  if other != place and labels[other] == labels[place]]
        assert found[place] == pytest.approx(1 - np.mean(sorted(others)[-10:]), abs=1e-5)


def test_what_lies_far_from_its_class_is_far_out_and_a_clean_class_has_none():
    given, labels = features(images=500, columns=64)
    strange = given.copy()
    strange[7] = np.random.default_rng(5).normal(size=64) * 6
    found = far_out(own_class_distance(coordinates(standardise(strange)), labels), labels)
    assert np.flatnonzero(found).tolist() == [7]
    assert not far_out(own_class_distance(coordinates(standardise(given)), labels), labels).any()
    assert not far_out(np.array([1.0, 1, 1, 99]), np.zeros(4, int)).any()  # too few to say


def test_pairwise_recall_is_that_of_a_plain_loop():
    generator = np.random.default_rng(0)
    labels = generator.choice(4, 300, p=[0.5, 0.3, 0.1, 0.1])
    prob = generator.dirichlet(np.ones(4), 300)
    share = np.bincount(labels) / 300
    found = pairwise_recall(prob, labels)
    for one in range(4):
        for other in range(4):
            if one != other:
                right = [row[one] / share[one] > row[other] / share[other]
                         for row in prob[labels == one]]
                assert found[one, other] == pytest.approx(np.mean(right))


def test_the_interval_of_a_pair_covers_chance_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        recall = np.full((2, 2), 0.5)
        recall[0, 1] = generator.binomial(60, 0.7) / 60
        recall[1, 0] = generator.binomial(25, 0.3) / 25
        pair, = pair_intervals(recall, np.array([60, 25]))
        covered += pair.low <= 0.5 <= pair.high
    assert 0.92 <= covered / 400 <= 0.99


def test_pairs_of_few_images_say_nothing_and_the_worst_come_first():
    recall = np.array([[0.5, 0.9, 0.6], [0.9, 0.5, 0.5], [0.6, 0.5, 0.5]])
    found = pair_intervals(recall, np.array([30, 30, 30]))
    assert [pair[:2] for pair in found] == [(1, 2), (0, 2), (0, 1)]
    assert [pair[:2] for pair in pair_intervals(recall, np.array([30, 30, 4]))] == [(0, 1)]
