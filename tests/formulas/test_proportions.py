"""Intervals, against scipy, published examples, hand arithmetic and simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest

from amlnn.formulas.proportions import newcombe, paired, paired_bootstrap, wilson


@pytest.mark.parametrize(('right', 'n'), [(0, 5), (1, 1), (9, 10), (545, 568), (568, 568)])
def test_the_wilson_interval_is_scipys(right, n):
    expected = binomtest(right, n).proportion_ci(method='wilson')
    assert wilson(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(('counts', 'expected'), [
    # Table II of Newcombe 1998, method 10, examples (a) to (d).
    ((56, 70, 48, 80), (0.0524, 0.3339)), ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((10, 10, 0, 20), (0.6791, 1.0)), ((10, 10, 0, 10), (0.6075, 1.0))])
def test_the_unpaired_interval_is_the_published_one(counts, expected):
    a, n, b, n0 = counts
    assert newcombe(a / n, n, b / n0, n0) == pytest.approx(expected, abs=5e-5)


def test_the_paired_interval_is_the_formula_by_hand():
    # 100 images: 9 only the first has right, 4 only the baseline, 80 both, 7 neither.
    first = np.array([1] * 9 + [0] * 4 + [1] * 80 + [0] * 7, dtype=bool)
    other = np.array([0] * 9 + [1] * 4 + [1] * 80 + [0] * 7, dtype=bool)
    centre = 5 / 102
    half = 1.959964 * (14 - 25 / 102) ** 0.5 / 102
    assert paired(first, other) == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_two_equal_runs_still_have_an_interval_of_some_width():
    same = np.ones(50, dtype=bool)
    low, high = paired(same, same)
    assert low == -high and 0.02 < high < 0.06


def test_pairing_narrows_the_interval():
    generator = np.random.default_rng(0)
    first = generator.random(500) < 0.9
    other = first ^ (generator.random(500) < 0.02)
    low, high = paired(first, other)
    low0, high0 = newcombe(first.mean(), 500, other.mean(), 500)
    assert high - low < 0.6 * (high0 - low0)


def test_the_paired_interval_covers_the_truth_19_times_in_20():
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(2000):
        # Cells: both right 0.80, only first 0.10, only other 0.06, neither 0.04; difference 0.04.
        cell = generator.choice(4, 200, p=[0.80, 0.10, 0.06, 0.04])
        low, high = paired((cell == 0) | (cell == 1), (cell == 0) | (cell == 2))
        hits += low <= 0.04 <= high
    assert 0.935 <= hits / 2000 <= 0.968


def test_the_bootstrap_agrees_with_the_formula_for_one_seed_each():
    generator = np.random.default_rng(2)
    first, other = generator.random((2, 1, 800)) < 0.8
    assert paired_bootstrap(first, other) == pytest.approx(paired(first[0], other[0]), abs=0.006)


def test_the_bootstrap_widens_with_the_spread_of_seeds():
    base = np.tile(np.arange(1000) < 800, (3, 1))
    alike, apart = base.copy(), base.copy()
    apart[0, 800:900] = True
    apart[1, 700:800] = False
    low, high = paired_bootstrap(alike, base)
    low1, high1 = paired_bootstrap(apart, base)
    assert high1 - low1 > 0.05 > high - low


def test_the_bootstrap_is_the_same_every_time():
    first, other = np.random.default_rng(3).random((2, 2, 100)) < 0.8
    assert paired_bootstrap(first, other) == paired_bootstrap(first, other)
