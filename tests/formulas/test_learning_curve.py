"""The curve of accuracy by images a class: its fit and its band."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from amlnn.formulas.learning_curve import fit_curve

SIZES = np.array([1, 2, 5, 10, 20, 100])


def noisy(draws: int = 10, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (0.85 - 0.5 * SIZES ** -0.6)[:, None] + noise * random.normal(size=(len(SIZES), draws))


def test_the_fit_is_that_of_scipys_least_squares():
    accuracies = noisy()
    fit = fit_curve(SIZES, accuracies)
    known, _ = curve_fit(lambda n, a, b, c: a - b * n ** -c, SIZES.astype(float),
                         accuracies.mean(1), p0=(0.9, 0.4, 0.5))
    def error(a, b, c):
        return float(((a - b * SIZES ** -float(c) - accuracies.mean(1)) ** 2).sum())
    assert error(fit.limit, fit.drop, fit.power) == pytest.approx(error(*known), rel=0.02, abs=1e-7)


def test_the_band_covers_the_true_curve_most_of_the_time():
    asked = np.array([3, 50, 200])
    truth = 0.85 - 0.5 * asked ** -0.6
    inside = []
    for seed in range(40):
        value, low, high = fit_curve(SIZES, noisy(seed=seed), samples=100, seed=seed).at(asked)
        assert (low <= value).all() and (value <= high).all()
        inside.append((low <= truth) & (truth <= high))
    assert np.mean(inside) > 0.8


def test_few_images_to_measure_on_make_the_band_wider():
    widths = []
    for images in (None, 10000, 100):
        _, low, high = fit_curve(SIZES, noisy(), images).at(np.array([200]))
        widths.append(float(high[0] - low[0]))
    assert widths[0] < widths[1] * 1.5 < widths[2]


def test_an_accuracy_that_falls_or_would_pass_1_is_held():
    falling = fit_curve(SIZES[:3], np.array([[0.9], [0.8], [0.7]]))
    assert falling.drop == 0 and falling.limit == pytest.approx(0.8)
    steep = fit_curve(SIZES[:3], np.array([[0.5], [0.75], [1.0]]))
    assert steep.limit <= 1.0 and steep.at(np.array([1000]))[0][0] <= 1


def test_draws_that_are_missing_do_not_count():
    accuracies = noisy()
    short = accuracies.copy()
    short[-1, 1:] = np.nan
    assert fit_curve(SIZES, short).at(np.array([100]))[0][0] == pytest.approx(
        short[-1, 0], abs=0.05)
