"""Folds hold every image once, and of each class as many as the others."""

import numpy as np
import pytest

from amlnn.formulas.folds import stratified_folds


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
