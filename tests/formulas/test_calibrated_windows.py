"""Intervals of the windows of parts: series side by side, and how they held."""

import numpy as np
import pytest

from amlnn.formulas import calibrated_windows
from amlnn.formulas.adaptive_conformal import AdaptiveConformal
from amlnn.formulas.calibrated_windows import (
    SCORED_LEVELS,
    Forecasted,
    ForecastWindows,
    calibrated,
    static_margins,
)
from amlnn.formulas.conformal import fit_conformal
from amlnn.formulas.interval_errors import IntervalSums


def part_of(lengths, seed, stride=1, steps=3, columns=2, missing=0.0, quantiles=False):
    """Series of these lengths, the later the larger their errors; in no order of series."""
    rng = np.random.default_rng(seed)
    series = np.repeat(np.arange(len(lengths)), lengths)
    # Windows of series stand among one another, those of each in the order of time.
    series = rng.permutation(series)
    target = rng.normal(size=(len(series), steps, columns)) * (1 + 3 * series[:, None, None])
    whole = Forecasted(
        rng.normal(size=target.shape), target,
        rng.random(target.shape) > missing if missing else None,
        np.sort(rng.normal(size=(*target.shape, 2)), axis=-1) if quantiles else None)
    return ForecastWindows.of_arrays(whole, series, stride, (0.1, 0.9) if quantiles else None)


def together(part, blocks):
    """[I, N, P, C] bounds, and the windows that had some."""
    low = high = None
    for each in blocks:
        if low is None:
            low, high = (np.full((len(each.low), len(part.series), *each.low.shape[2:]), 1e9)
                         for _ in range(2))
        assert (low[:, each.places] == 1e9).all()  # each window once
        low[:, each.places], high[:, each.places] = each.low, each.high
    assert (low < 1e9).all()
    return low, high


@pytest.mark.parametrize('quantiles', [False, True])
@pytest.mark.parametrize(('cells', 'block'), [(2 ** 17, 2 ** 19), (12, 12 * 7)])
def test_series_side_by_side_are_each_as_if_it_stood_alone(monkeypatch, quantiles, cells, block):
    """In one group, and in groups of one or two series by blocks of seven windows."""
    monkeypatch.setattr(calibrated_windows, '_CELLS', cells)
    monkeypatch.setattr(calibrated_windows, '_BLOCK', block)
    monkeypatch.setattr(calibrated_windows, 'SIZE', 50)
    part = part_of([70, 10, 100, 30], 0, missing=0.1, quantiles=quantiles)
    before = part_of([60, 5, 45, 0], 1, stride=2, quantiles=quantiles)
    static = static_margins(before)
    low, high = together(part, calibrated(part, static, before))
    for place in range(4):
        mine, earlier = (np.flatnonzero(each.series == place) for each in (part, before))
        own = AdaptiveConformal(static, before.stride, size=50, until=len(earlier))
        if len(earlier):
            own.bounds(*before.take(earlier))
        own.flush(part.stride)
        expected = own.bounds(*part.take(mine))
        np.testing.assert_allclose(low[:, mine], expected[0], rtol=1e-5)
        np.testing.assert_allclose(high[:, mine], expected[1], rtol=1e-5)


def test_at_the_end_series_of_any_length_stand_side_by_side():
    part = part_of([130, 61, 1], 0, missing=0.1)
    static = static_margins(part)
    low, high = together(part, calibrated(part, static, together_at='end'))
    for place in range(3):
        mine = np.flatnonzero(part.series == place)
        own = AdaptiveConformal(static, size=300, until=len(mine) - 1)
        expected = own.bounds(*part.take(mine))
        np.testing.assert_allclose(low[:, mine], expected[0], rtol=1e-5)
        np.testing.assert_allclose(high[:, mine], expected[1], rtol=1e-5)


def test_a_series_with_few_windows_has_the_margins_of_all_or_of_its_own():
    part, before = part_of([20, 20], 0), part_of([30, 60], 1)
    static = static_margins(before)
    _, high = together(part, calibrated(part, static, before))
    first = np.flatnonzero(part.series == 0)[0]
    np.testing.assert_allclose(high[:, first] - part.take(np.array([first])).point[0],
                               [each.margin for each in static])
    margins = [each._replace(margin=np.stack([each.margin * 0 + 7, each.margin]))
               for each in static]
    _, high = together(part, calibrated(part, margins, before))
    np.testing.assert_allclose(high[:, first] - part.take(np.array([first])).point[0], 7)


def test_what_would_take_too_long_has_static_margins(monkeypatch):
    part, before = part_of([50, 50], 0), part_of([60, 60], 1)
    static = static_margins(before)
    monkeypatch.setattr(calibrated_windows, '_MOST', 100 * 6 - 1)
    low, high = together(part, calibrated(part, static, before))
    point = part.take(np.arange(100)).point
    for place, each in enumerate(static):
        np.testing.assert_allclose(high[place], point + each.margin)
        np.testing.assert_allclose(low[place], point - each.margin)
    monkeypatch.setattr(calibrated_windows, '_MOST', 100 * 6)
    assert not np.allclose(together(part, calibrated(part, static, before))[1], high)


def test_static_margins_are_those_of_all_windows_where_a_level_can_be_had():
    part = part_of([12], 0, missing=0.1)
    point, target, observed, _ = part.take(np.arange(12))
    eighty, most = static_margins(part)
    np.testing.assert_array_equal(
        eighty.margin, fit_conformal(target, point, level=0.8, observed=observed).margin)
    assert most.level == 0.95 and np.isnan(most.margin).all()
    quantiles = part_of([60], 0, quantiles=True)
    assert [each.ends for each in static_margins(quantiles, SCORED_LEVELS)] == \
        [None, None, None, (0, 1), None]


@pytest.mark.parametrize('missing', [0.0, 0.3])
def test_scores_are_those_of_a_plain_loop(missing):
    part, before = part_of([40, 70], 0, missing=missing), part_of([45, 60], 1)
    sums = IntervalSums(SCORED_LEVELS, (0.8, 0.95))
    static = static_margins(before, SCORED_LEVELS)
    for each in calibrated(part, static, before):
        sums.add(each)
    low, high = together(part, calibrated(part, static, before))
    point, target, observed, _ = part.take(np.arange(110))
    seen = np.ones(target.shape, bool) if observed is None else observed
    found = sums.row()
    for level in (0.8, 0.95):
        held, width, score = [], [], []
        at = SCORED_LEVELS.index(level)
        for place in zip(*np.nonzero(seen), strict=True):
            y, a, b = target[place], low[at][place], high[at][place]
            held.append(a <= y <= b)
            width.append(b - a)
            # Gneiting and Raftery 2007, equation 43, with alpha = 1 - level.
            score.append(b - a + 2 / (1 - level) * ((a - y) * (y < a) + (y - b) * (y > b)))
        name = f'{100 * level:g}'
        assert found[f'interval/coverage_{name}'] == pytest.approx(np.mean(held))
        assert found[f'interval/width_{name}'] == pytest.approx(np.mean(width))
        assert found[f'interval/winkler_{name}'] == pytest.approx(np.mean(score))
    losses = []
    for place in zip(*np.nonzero(seen), strict=True):
        ends = {0.5: point[place]}
        for at, level in enumerate((0.2, 0.4, 0.6, 0.8)):
            ends[(1 - level) / 2], ends[(1 + level) / 2] = low[at][place], high[at][place]
        assert sorted(round(each, 9) for each in ends) == [.1, .2, .3, .4, .5, .6, .7, .8, .9]
        losses.append(2 * np.mean([max(q * (target[place] - value), (q - 1) * (
            target[place] - value)) for q, value in ends.items()]))
    assert found['interval/crps'] == pytest.approx(np.mean(losses))


def test_a_level_without_an_interval_has_no_score():
    part = part_of([12], 0)
    sums = IntervalSums((0.8, 0.95), (0.8, 0.95))
    for each in calibrated(part, static_margins(part)):
        sums.add(each)
    assert list(sums.row()) == ['interval/coverage_80', 'interval/width_80', 'interval/winkler_80']
