"""Intervals from the newest errors, against a plain loop over windows, steps and columns."""

from math import ceil

import numpy as np
import pytest

from amlnn.formulas.adaptive_conformal import AdaptiveConformal
from amlnn.formulas.conformal import LEAST_WINDOWS, Conformal, fit_intervals

LEVELS = (0.5, 0.8, 0.95)


def static(steps, columns, ends=(None, None, None), levels=LEVELS):
    return [Conformal(np.full((steps, columns), 2.0 + level), level, end)
            for level, end in zip(levels, ends, strict=True)]


def plain_loop(fallback, point, target, observed, quantiles, stride, size, rate):
    """Every step and column on its own: scores known at an origin, their rank, the level's move."""
    windows, steps, columns = point.shape
    levels = len(fallback)
    low, high = np.empty((2, levels, *point.shape))
    outside = np.full((levels, *point.shape), np.nan)  # of what was issued from own errors
    for step in range(steps):
        for column in range(columns):
            alpha = [1 - each.level for each in fallback]
            for window in range(windows):
                # Step `step` of window m lies `step` rows behind its origin m * stride.
                known = [m for m in range(window) if m * stride + step < window * stride]
                new = [m for m in known if m * stride + step >= (window - 1) * stride]
                for m in new:
                    for place, each in enumerate(fallback):
                        if not np.isnan(outside[place, m, step, column]):
                            late = -(-(step + 1) // stride)
                            alpha[place] += rate / late * (
                                1 - each.level - outside[place, m, step, column])
                            alpha[place] = min(max(alpha[place], 0.0), 1.0)
                sorted_at = window // 15 * 15  # errors are ordered anew every 15 windows
                counted = [m for m in range(window) if m * stride + step < sorted_at * stride]
                counted = [m for m in counted[-size:] if observed[m, step, column]]
                bounds = []
                for place, each in enumerate(fallback):
                    base = [point] * 2 if each.ends is None else \
                        [quantiles[..., end] for end in each.ends]
                    below, above = (one[:, step, column] for one in base)
                    truth = target[:, step, column]
                    own = len(counted) >= LEAST_WINDOWS
                    margin = each.margin[step, column]
                    if own:
                        scores = sorted(max(below[m] - truth[m], truth[m] - above[m])
                                        for m in counted)
                        rank = ceil(round((len(scores) + 1) * (1 - alpha[place]), 9))
                        margin = scores[min(max(rank, 1), len(scores)) - 1]
                    middle = (below[window] + above[window]) / 2
                    bounds.append((min(below[window] - margin, middle),
                                   max(above[window] + margin, middle)))
                    lowest = min(one for one, _ in bounds)
                    highest = max(one for _, one in bounds)
                    low[place, window, step, column] = lowest
                    high[place, window, step, column] = highest
                    if own and observed[window, step, column]:
                        outside[place, window, step, column] = not (
                            lowest <= truth[window] <= highest)
    return low, high


@pytest.mark.parametrize('stride', [1, 2, 5])
@pytest.mark.parametrize(('ends', 'columns'), [((None, None, None), 1), ((None, None, None), 2),
                                               (((1, 2), (0, 3), None), 2)])
def test_it_is_what_a_plain_loop_gives(stride, ends, columns):
    rng = np.random.default_rng(stride)
    windows, steps = 260, 4
    target = np.cumsum(rng.normal(size=(windows, steps, columns)), axis=0) / 3
    target = target.astype(np.float32)
    point = rng.normal(size=target.shape).astype(np.float32)
    quantiles = point[..., None] + np.array([-1.0, -0.3, 0.4, 1.2], np.float32)
    observed = rng.random(target.shape) > 0.2
    fallback = static(steps, columns, ends)
    expected = plain_loop(fallback, point, target, observed, quantiles, stride, 60, 0.05)
    calibration = AdaptiveConformal(fallback, stride, size=60, rate=0.05)
    found = [calibration.bounds(point[rows], target[rows], observed[rows], quantiles[rows])
             for rows in (slice(0, 1), slice(1, 100), slice(100, 101), slice(101, None))]
    for place in range(2):
        np.testing.assert_allclose(np.concatenate([each[place] for each in found], axis=1),
                                   expected[place], rtol=1e-5, atol=1e-5)
    margins = np.concatenate([each[1] for each in found], axis=1)[0] - point
    assert len(np.unique(margins[:40].round(4))) == 1 or ends[0]  # the margins it was given
    assert len(np.unique(margins[150:].round(4))) > 20


def test_truth_counts_when_it_is_known_and_not_before():
    """A jump of all errors from one row on is seen by a step as late as its truth."""
    windows, steps = 200, 8
    row = np.arange(windows)[:, None] + np.arange(steps)
    target = np.where(row < 120, 1.0, 50.0)[..., None]
    most = static(steps, 1, [None], levels=[0.99])  # of 40 errors the largest
    _, high = AdaptiveConformal(most, size=40, rate=0.0).bounds(np.zeros(target.shape), target)
    first = [int(np.argmax(high[0, :, step, 0] > 10)) for step in range(steps)]
    # Row 120 lies before origin 121, whichever window forecast it; errors are ordered at 135.
    assert first == [135] * steps
    _, high = AdaptiveConformal(most, size=40, rate=0.0, until=121).bounds(
        np.zeros(target.shape), target)
    assert [int(np.argmax(high[0, :, step, 0] > 10)) for step in range(steps)] == [121] * steps


def test_a_part_that_is_over_is_known_as_a_whole():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(100, 6, 1))
    calibration = AdaptiveConformal(static(6, 1, levels=(0.8, 0.9, 0.95)), size=100, rate=0.0)
    calibration.bounds(np.zeros(target.shape), target)
    calibration.flush(1)
    _, high = calibration.bounds(np.zeros((1, 6, 1)), np.zeros((1, 6, 1)))
    fitted = fit_intervals(target, np.zeros(target.shape))
    np.testing.assert_allclose(high[0, 0], fitted[0].margin, rtol=1e-6)
    np.testing.assert_allclose(high[2, 0], fitted[1].margin, rtol=1e-6)


@pytest.mark.parametrize('rate', [0.0, 0.02])
def test_exchangeable_data_are_covered_as_often_as_asked(rate):
    rng = np.random.default_rng(1)
    target = rng.standard_t(3, size=(4000, 3, 4))
    calibration = AdaptiveConformal(static(3, 4), rate=rate)
    low, high = calibration.bounds(np.zeros(target.shape), target)
    held = ((low <= target) & (target <= high))[:, 500:].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(held, LEVELS, atol=0.012)


def test_a_series_that_drifts_is_covered_where_fixed_margins_fail():
    """Errors grow twentyfold; and those of a second column shrink as much."""
    rng = np.random.default_rng(2)
    spread = np.exp(np.linspace(0, 3, 3000))
    target = rng.normal(size=(3000, 6, 2)) * np.stack([spread, 1 / spread], axis=1)[:, None]
    point = np.zeros(target.shape)
    fixed = fit_intervals(target[:500], point[:500])
    calibration = AdaptiveConformal(fixed)
    calibration.bounds(point[:500], target[:500])
    calibration.flush(1)
    low, high = calibration.bounds(point[500:], target[500:])
    held = ((low <= target[500:]) & (target[500:] <= high)).mean(axis=(1, 2))
    before = (np.abs(target[500:]) <= fixed[0].margin).mean(axis=(0, 1))
    assert before[0] < 0.4 and before[1] > 0.97
    np.testing.assert_allclose(held[0], [0.8, 0.8], atol=0.03)
    np.testing.assert_allclose(held[1], [0.95, 0.95], atol=0.02)
    # As sharp as those who know the spread: 2 * 1.2816 deviations hold 80 %.
    ideal = 2 * 1.2816 * np.stack([spread, 1 / spread], axis=1)[500:].mean(axis=0)
    np.testing.assert_allclose((high - low)[0].mean(axis=(0, 1)), ideal, rtol=0.12)


def test_the_level_moves_where_errors_grow_faster_than_they_are_replaced():
    rng = np.random.default_rng(3)
    target = rng.normal(size=(2000, 1, 1)) * np.exp(np.linspace(0, 9, 2000))[:, None, None]
    held = {}
    for rate in (0.0, 0.05):
        low, high = AdaptiveConformal(static(1, 1), rate=rate).bounds(np.zeros(target.shape),
                                                                      target)
        held[rate] = ((low <= target) & (target <= high))[1, 300:].mean()
    assert held[0.0] < 0.7 < 0.75 < held[0.05]


def test_levels_never_cross_whatever_the_rate():
    rng = np.random.default_rng(4)
    target = np.cumsum(rng.normal(size=(600, 3, 2)), axis=0)
    point = rng.normal(size=target.shape)
    quantiles = np.sort(rng.normal(size=(*target.shape, 4)), axis=-1)
    for ends in ((None, None, None), ((1, 2), (0, 3), None)):
        low, high = AdaptiveConformal(static(3, 2, ends), size=50, rate=0.5).bounds(
            point, target, quantiles=quantiles)
        assert (np.diff(low, axis=0) <= 0).all() and (np.diff(high, axis=0) >= 0).all()
        assert (low <= high).all()


def test_missing_values_neither_count_nor_move_a_level():
    rng = np.random.default_rng(5)
    target = rng.normal(size=(300, 1, 1))
    observed = np.ones(target.shape, dtype=bool)
    observed[::2] = False
    wild = np.where(observed, target, 1e9)
    _, high = AdaptiveConformal(static(1, 1), size=400).bounds(np.zeros(target.shape), wild,
                                                                observed)
    assert high.max() < 10
    nothing = np.zeros(target.shape, dtype=bool)
    low, high = AdaptiveConformal(static(1, 1)).bounds(np.zeros(target.shape), wild, nothing)
    assert (high[:, :, 0, 0] == np.array(LEVELS)[:, None] + 2).all() and (low == -high).all()


def test_where_there_is_no_margin_there_is_no_interval_before_its_own_errors():
    target = np.random.default_rng(6).normal(size=(80, 2, 1))
    none = [each._replace(margin=np.full((2, 1), np.nan)) for each in static(2, 1)]
    low, _ = AdaptiveConformal(none, size=40).bounds(np.zeros(target.shape), target)
    first = [int(np.argmin(np.isnan(low[0, :, step, 0]))) for step in range(2)]
    assert first == [45, 45]  # of LEAST_WINDOWS and more errors, ordered every 15 windows
