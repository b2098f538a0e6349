"""Ridge and the other baselines on many series and with known columns."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from amlnn.errors import DataError
from amlnn.formulas.training_rows import TrainingRows
from amlnn.models.series import ridge
from amlnn.models.series.baselines import BASELINES, RepeatLast, Ridge, TrainMean

L, P = 7, 4


def autoregression(rows=400, noise=0.0, seed=0, effect=(3.0, -0.5)):
    """An oscillation that its last two rows give, effects of a holiday and a price, noise."""
    random = np.random.default_rng(seed)
    known = np.stack([random.random(rows) < 0.1, random.normal(size=rows)], 1).astype(float)
    level = np.zeros(rows)
    level[:2] = random.normal(size=2)
    for t in range(2, rows):
        level[t] = 2 * np.cos(0.7) * level[t - 1] - level[t - 2]
    values = level + known @ effect + noise * random.normal(size=rows)
    return values[:, None], known


def windows_of(*columns):
    return sliding_window_view(np.concatenate(columns, 1), L + P, axis=0).swapaxes(1, 2)


def panel(lengths=(60, 11, 0, 5, 90), columns=2, known=1, seed=0):
    random = np.random.default_rng(seed)
    bounds = np.append(0, np.cumsum(lengths))
    values = random.normal(size=(bounds[-1], columns)).cumsum(axis=0)
    return TrainingRows(values, bounds, random.normal(size=(bounds[-1], known)) if known else None)


def parts(rows):
    return [(rows.values[a:b], None if rows.known is None else rows.known[a:b])
            for a, b in zip(rows.bounds, rows.bounds[1:], strict=False)]


def test_without_noise_the_effects_are_found_and_the_future_is_forecast():
    values, known = autoregression()
    own = Ridge(alphas=(1e-9,)).fit(TrainingRows.of_one(values[:300], known[:300]), L, P, None)
    np.testing.assert_allclose(own.effect[:, 0], [3, -0.5], atol=0.01)
    windows = windows_of(values[300:], known[300:])
    found = own.predict(windows[:, :L], known=windows[:, L:, 1:])
    np.testing.assert_allclose(found, windows[:, L:, :1], atol=0.05)
    plain = Ridge(alphas=(1e-9,)).fit(TrainingRows.of_one(values[:300]), L, P, None)
    assert np.square(plain.predict(windows[:, :L, :1]) - windows[:, L:, :1]).mean() > 0.5


def test_the_effect_is_the_least_squares_one_given_the_weights_and_the_weights_given_it():
    values, known = autoregression(noise=0.5)
    own = Ridge(alphas=(0.01,)).fit(TrainingRows.of_one(values, known), L, P, None)
    windows = windows_of(values, known)
    windows = windows - windows[:, L - 1, None]
    error = windows[:, L:].swapaxes(1, 2) - windows[:, :L].swapaxes(1, 2) @ own.weights
    targets, columns = error[:, 0].ravel(), error[:, 1:].swapaxes(1, 2).reshape(-1, 2)
    expected = np.linalg.lstsq(columns, targets, rcond=None)[0]
    np.testing.assert_allclose(own.effect[:, 0], expected, rtol=1e-3)
    rest = TrainingRows.of_one(values - known @ own.effect)
    np.testing.assert_array_equal(
        Ridge(alphas=(0.01,)).fit(rest, L, P, None).weights, own.weights)


def test_a_column_that_stands_still_has_no_effect_and_a_doubled_one_shares_it():
    values, known = autoregression(noise=0.1)
    still = np.full((len(values), 1), 0.1)
    own = Ridge().fit(TrainingRows.of_one(values, np.hstack([known, still, known[:, :1]])),
                      L, P, None)
    assert own.effect[2, 0] == 0
    assert own.effect[0, 0] == pytest.approx(own.effect[3, 0])
    assert own.effect[0, 0] + own.effect[3, 0] == pytest.approx(3, abs=0.1)


def test_a_gap_is_filled_with_what_is_left_without_the_effect():
    values, known = autoregression()
    rows = TrainingRows.of_one(values.copy(), known)
    rows.values[np.arange(40, 300, 23)] = np.nan
    own = Ridge(alphas=(1e-9,)).fit(rows, L, P, None)
    assert np.isfinite(own.weights).all()
    np.testing.assert_allclose(own.effect[:, 0], [3, -0.5], atol=0.3)
    own.weights = np.zeros_like(own.weights)  # the last value, once more
    own.effect = np.array([[3.0], [1.0]])
    inputs = np.full((1, L, 3), 5.0)
    inputs[0, :, 1:] = 0
    inputs[0, -2] = [8, 1, 0]  # a holiday, and then nothing
    observed = np.ones((1, L, 3), dtype=bool)
    observed[0, -1, 0] = False
    ahead = np.array([[[0.0, 0], [1, 0], [0, 2], [0, 0]]])
    assert own.predict(inputs, observed, ahead).ravel().tolist() == [5, 8, 7, 5]


def test_columns_with_and_without_gaps_have_the_effects_that_they_have_alone():
    random = np.random.default_rng(3)
    values, known = random.normal(size=(200, 3)).cumsum(axis=0), random.normal(size=(200, 2))
    values[50:60, 1] = np.nan
    rows, weights = TrainingRows.of_one(values, known), random.normal(size=(L, P)) / 5
    together = ridge._effect(rows, weights, 10 ** 6)
    for column in range(3):
        alone = ridge._effect(rows._replace(values=values[:, [column]]), weights, 10 ** 6)
        np.testing.assert_allclose(together[:, [column]], alone, rtol=1e-9)


def test_known_columns_of_the_future_that_are_missing_are_refused():
    values, known = autoregression()
    own = Ridge().fit(TrainingRows.of_one(values, known), L, P, None)
    inputs = np.zeros((2, L, 3))
    for given in (None, np.zeros((2, P, 1)), np.zeros((1, P, 2))):
        with pytest.raises(DataError, match='Ridge got known columns of shape') as error:
            own.predict(inputs, known=given)
        assert error.value.hint


@pytest.mark.parametrize('gaps', [False, True])
def test_ridge_of_a_panel_is_that_of_all_windows_within_its_series(gaps):
    rows = panel(known=0)
    if gaps:
        rows.values[3:6, 0] = rows.values[62:64] = rows.values[140:, 1] = np.nan
    own = Ridge(alphas=(0.01,)).fit(rows, L, P, None)
    moments = np.zeros((L, L + P))
    for values, _ in parts(rows):
        one = ridge._Moments(L, P)
        one.add(TrainingRows.of_one(values))
        moments += one.products_LW
    penalty = 0.01 * np.trace(moments[:, :L]) / L * np.eye(L)
    expected = np.linalg.solve(moments[:, :L] + penalty, moments[:, L:])
    np.testing.assert_allclose(own.weights, expected, rtol=1e-6, atol=1e-9)


def test_the_penalty_of_a_panel_is_chosen_on_the_rows_that_follow_in_each_series():
    rows, later = panel(known=0), panel((20, 3, 0, 9, 30), known=0, seed=1)
    alphas, errors = (1e-4, 0.1, 10.0), []
    for alpha in alphas:
        weights = Ridge((alpha,)).fit(rows, L, P, None).weights
        total = 0.0
        for (before, _), (after, _) in zip(parts(rows), parts(later), strict=True):
            both = np.concatenate([before[-L:], after])
            if len(both) >= L + P:
                windows = windows_of(both)
                windows = (windows - windows[:, L - 1, None]).swapaxes(1, 2)
                total += np.square(windows[..., :L] @ weights - windows[..., L:]).sum()
        errors.append(total)
    assert Ridge(alphas).fit(rows, L, P, None, later).alpha == alphas[int(np.argmin(errors))]


def test_the_effect_in_a_panel_is_one_for_all_series():
    found = [autoregression(rows, seed=seed) for seed, rows in enumerate((90, 60, 8, 120))]
    values, known = (np.concatenate(part) for part in zip(*found, strict=True))
    bounds = np.append(0, np.cumsum([len(each) for each, _ in found]))
    own = Ridge(alphas=(1e-9,)).fit(TrainingRows(values, bounds, known), L, P, None)
    np.testing.assert_allclose(own.effect[:, 0], [3, -0.5], atol=0.01)


def test_few_windows_of_many_settle_the_weights(monkeypatch):
    rows = panel((300, 200), known=1)
    expected = Ridge().fit(rows, L, P, None)
    monkeypatch.setattr(ridge, '_MOST', 100)
    fewer = Ridge().fit(rows, L, P, None)
    assert not np.array_equal(fewer.effect, expected.effect)
    np.testing.assert_allclose(fewer.weights, expected.weights, atol=0.1)


def test_the_train_mean_is_that_of_the_window_s_series_and_of_the_window_where_it_is_new():
    rows = panel()
    rows.values[4, 0] = np.nan
    own = TrainMean().fit(rows, L, P, None)
    inputs = np.random.default_rng(1).normal(size=(3, L, 3))
    found = own.predict(inputs, series=np.array([4, 0, -1]))
    assert np.allclose(found[0], rows.values[76:].mean(axis=0))
    assert np.allclose(found[1], np.nanmean(rows.values[:60], axis=0))
    assert np.allclose(found[2], inputs[2, :, :2].mean(axis=0))
    with pytest.raises(ValueError, match='several'):
        own.predict(inputs)


def test_an_empty_look_back_is_filled_with_its_series_mean():
    rows = panel()
    observed = np.zeros((4, L, 3), dtype=bool)
    found = RepeatLast().fit(rows, L, P, None).predict(
        np.ones((4, L, 3)), observed, series=np.array([0, 4, -1, 2]))
    everything = rows.values.mean(axis=0)
    for place, expected in enumerate([rows.values[:60].mean(axis=0),
                                      rows.values[76:].mean(axis=0), everything, everything]):
        assert np.allclose(found[place], expected)  # the third series has no rows


@pytest.mark.parametrize('name', BASELINES)
def test_every_baseline_takes_a_panel_with_known_columns(name):
    own = BASELINES[name]().fit(panel(), L, P, 3)
    inputs = np.random.default_rng(2).normal(size=(3, L, 3))
    found = own.predict(inputs, known=np.zeros((3, P, 1)), series=np.array([0, -1, 4]))
    assert found.shape == (3, P, 2) and np.isfinite(found).all()


def test_windows_gaps_and_joined_rows_stay_within_their_series():
    rows = panel((4, 0, 3))
    assert rows.window_starts(3).tolist() == [0, 1, 4]
    assert rows.window_starts(2, most=2).tolist() == [0, 2]
    seen = np.array([False, True, False, True, False, False, True])
    assert rows.fill_places(seen).tolist() == [1, 1, 1, 3, 6, 6, 6]
    seen[4:] = False
    assert rows.fill_places(seen).tolist() == [1, 1, 1, 3, 4, 5, 6]
    later = panel((1, 2, 0), seed=1)
    both = rows.last(2).followed_by(later)
    assert both.bounds.tolist() == [0, 3, 5, 7]
    expected = [*rows.values[2:4], *later.values, *rows.values[5:7]]
    assert np.array_equal(both.values, expected)
    assert np.array_equal(both.known, [*rows.known[2:4], *later.known, *rows.known[5:7]])
