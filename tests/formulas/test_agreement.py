"""Errors of two classifiers, against numpy's correlation and plain counting."""

import numpy as np
import pytest

from amlnn.formulas.agreement import all_wrong, both_wrong, error_correlation


@pytest.fixture
def correct() -> np.ndarray:
    """[4, 300] bool: some err together."""
    generator = np.random.default_rng(3)
    hard = generator.random(300)
    return generator.random((4, 300)) + hard > 0.5


def test_both_wrong_counts_the_images_that_two_get_wrong(correct):
    found = both_wrong(correct)
    for first in range(4):
        for second in range(4):
            count = sum(1 for a, b in zip(correct[first], correct[second], strict=True)
                        if not a and not b)
            assert found[first, second] == pytest.approx(count / 300)


def test_the_correlation_of_errors_is_numpys(correct):
    expected = np.corrcoef((~correct).astype(float))
    np.testing.assert_allclose(error_correlation(correct), expected, atol=1e-12)
    assert 0.05 < expected[0, 1] < 0.9


def test_one_that_never_errs_has_no_correlation(correct):
    found = error_correlation(np.vstack([correct[:1], np.ones((1, 300), bool)]))
    assert np.isnan(found[0, 1]) and np.isnan(found[1, 1]) and found[0, 0] == pytest.approx(1)


def test_all_wrong_counts_what_no_member_gets_right(correct):
    assert all_wrong(correct) == sum(not any(column) for column in correct.T) > 0
