"""Folds hold every image once, of each class as many as the others; draws, of each its share."""

import numpy as np
import pytest

from amlnn.formulas.folds import (
    few_of_each,
    shuffled_by_class,
    stratified_folds,
    stratified_sample,
)


@pytest.mark.parametrize('folds', [2, 3, 5])
def test_every_fold_has_its_share_of_every_class(folds):
    labels = np.random.default_rng(0).integers(0, 4, 101)
    found = stratified_folds(labels, folds)
    assert set(found) == set(range(folds))
    for chosen in (slice(None), *(labels == label for label in range(4))):
        sizes = np.bincount(found[chosen], minlength=folds)
        assert sizes.max() - sizes.min() <= 1


def test_one_seed_is_one_dealing_and_another_seed_another():
    labels = np.repeat(np.arange(3), 20)
    first, again, other = (stratified_folds(labels, 5, seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    assert first[:20].tolist() != sorted(first[:20].tolist())  # the order of files says nothing


def test_a_draw_has_so_many_of_every_class_and_is_among_a_larger_one():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [3, 10, 20, 30]))
    few, more = ([few_of_each(labels, count, [0, draw]) for draw in range(5)] for count in (2, 5))
    for one, other in zip(few, more, strict=True):
        assert np.bincount(labels[one]).tolist() == [2, 2, 2, 2]
        assert np.bincount(labels[other]).tolist() == [3, 5, 5, 5]
        assert set(one) <= set(other) and one.tolist() == sorted(one)
    assert len({tuple(rows) for rows in few}) == 5
    assert not np.array_equal(few[0], few_of_each(labels, 2, [1, 0]))


def test_classes_come_one_after_the_other_and_each_is_shuffled_by_the_seed():
    labels = np.random.default_rng(0).integers(0, 3, 60)
    found = shuffled_by_class(labels)
    assert labels[found].tolist() == sorted(labels) and sorted(found) == list(range(60))
    first = found[:np.bincount(labels)[0]].tolist()
    assert first != sorted(first)
    assert found.tolist() != shuffled_by_class(labels, 1).tolist()


def test_a_sample_has_of_every_class_its_share_but_for_one():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), [500, 30, 101]))
    found = stratified_sample(labels, 100)
    wanted = 100 * np.bincount(labels) / 631
    assert np.abs(np.bincount(labels[found]) - wanted).max() <= 1
    assert len(set(found)) == 100 and found.tolist() == sorted(found)
    assert found.tolist() != stratified_sample(labels, 100, seed=1).tolist()
