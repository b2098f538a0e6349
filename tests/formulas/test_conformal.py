import numpy as np
import pytest

from amlnn.errors import DataError
from amlnn.formulas.conformal import conformal_rank, fit_conformal, fit_intervals, margins_by_series


@pytest.mark.parametrize('count, level, rank', [
    (9, 0.9, 9), (10, 0.9, 10), (19, 0.9, 18), (99, 0.95, 95), (100, 0.95, 96), (9, 0.7, 7),
    (1, 0.5, 1), (4, 0.2, 1), (1000, 0.8, 801)])
def test_the_rank_is_the_one_worked_out_by_hand(count, level, rank):
    assert conformal_rank(count, level) == rank


def test_too_few_values_say_how_many_it_takes():
    with pytest.raises(DataError, match=r'level 0.95 cannot be had from 18') as error:
        conformal_rank(18, 0.95)
    assert 'at least 19' in error.value.hint
    assert conformal_rank(19, 0.95) == 19


def test_each_step_and_column_has_its_own_margin():
    point = np.zeros((4, 2, 2))
    target = np.array([[[1, -10], [.1, 0]], [[-2, 20], [.2, 0]], [[3, 30], [-.3, 0]],
                       [[4, 40], [.4, 7]]], dtype=float)
    # four values, level 0.6: the third smallest
    assert fit_conformal(target, point, level=0.6).margin == pytest.approx(
        np.array([[3, 30], [.3, 0]]))


def test_missing_values_do_not_count_in_the_rank():
    target = np.arange(1.0, 8.0).reshape(7, 1, 1)
    observed = np.array([True, False, True, True, False, True, True]).reshape(7, 1, 1)
    # of 1, 3, 4, 6, 7 at level 0.6 the fourth smallest
    assert fit_conformal(np.where(observed, target, np.nan), np.zeros_like(target), level=0.6,
                         observed=observed).margin.item() == 6
    two = np.concatenate([observed, np.ones_like(observed)], 2)
    margin = fit_conformal(np.repeat(target, 2, 2), np.zeros((7, 1, 2)), level=0.6,
                           observed=two).margin
    assert margin.tolist() == [[6, 5]]  # of seven the fifth smallest
    with pytest.raises(DataError):
        fit_conformal(target, np.zeros_like(target), level=0.9, observed=observed)


@pytest.mark.parametrize('level', [0.5, 0.8, 0.95])
@pytest.mark.parametrize('quantiles', [False, True])
def test_exchangeable_data_are_covered_as_often_as_asked(level, quantiles):
    random = np.random.default_rng(0)
    calibration, new, repeats = 39, 50, 400
    inside = []
    for _ in range(repeats):
        centre, spread = random.normal(size=(2, calibration + new, 1, 1))
        truth = centre + np.exp(spread) * random.standard_t(3, size=(calibration + new, 1, 1))
        given = dict(low=centre - np.exp(spread), high=centre + np.exp(spread)) if quantiles \
            else dict(point=centre)
        fitted = fit_conformal(truth[:calibration], level=level, **{
            name: value[:calibration] for name, value in given.items()})
        rest = [value[calibration:] for value in given.values()]
        low, high = (fitted.widen if quantiles else fitted.around)(*rest)
        inside.append(np.mean((low <= truth[calibration:]) & (truth[calibration:] <= high)))
    # In 40 exchangeable values a new one is within the rank of 39 with chance rank / 40.
    assert np.mean(inside) == pytest.approx(conformal_rank(calibration, level) / 40, abs=0.015)
    assert conformal_rank(calibration, level) / 40 >= level - 1e-12


def test_quantiles_that_were_too_wide_are_narrowed_and_never_cross():
    zeros = np.zeros((9, 1, 1))
    low, high = zeros - 5, zeros + 5
    fitted = fit_conformal(zeros, low=low, high=high)
    assert fitted.margin.item() == -5
    low, high = fitted.widen(zeros - 1, zeros + 3)
    assert low == pytest.approx(zeros + 1) and high == pytest.approx(zeros + 1)


def test_the_score_of_quantiles_is_that_of_romano_et_al():
    target = np.array([0.0, 5.0, 11.0]).reshape(3, 1, 1)
    # low 1, high 9: the scores are 1, -4, 2
    fitted = [fit_conformal(target, low=target * 0 + 1, high=target * 0 + 9, level=level)
              for level in (0.25, 0.5, 0.75)]
    assert [each.margin.item() for each in fitted] == [-4, 1, 2]


@pytest.mark.parametrize('given', [
    {}, dict(low=np.zeros((9, 1, 1))), dict(point=np.zeros((9, 1, 1)), high=np.zeros((9, 1, 1))),
    dict(point=np.zeros((9, 1, 1)), level=1.0)], ids=lambda given: str(list(given)))
def test_arguments_that_do_not_go_together_are_refused(given):
    with pytest.raises(ValueError, match=r'give|level'):
        fit_conformal(np.zeros((9, 1, 1)), **given)


def test_intervals_widen_quantiles_where_there_are_both_and_surround_points_elsewhere():
    random = np.random.default_rng(1)
    target, point = random.normal(size=(2, 60, 2, 1))
    quantiles = point[..., None] + np.array([-1.0, 0.0, 1.5])
    eighty, most = fit_intervals(target, point, quantiles, (0.1, 0.5, 0.9))
    assert (eighty.level, eighty.ends) == (0.8, (0, 2)) and (most.level, most.ends) == (0.95, None)
    widened = fit_conformal(target, low=quantiles[..., 0], high=quantiles[..., 2], level=0.8)
    around = fit_conformal(target, point, level=0.95)
    np.testing.assert_array_equal(eighty.bounds(point, quantiles),
                                  widened.widen(quantiles[..., 0], quantiles[..., 2]))
    np.testing.assert_array_equal(most.bounds(point, quantiles), around.around(point))


def test_a_level_that_takes_more_windows_has_no_interval():
    target = np.arange(10.0).reshape(10, 1, 1)
    assert [each.level for each in fit_intervals(target, target * 0)] == [0.8]
    observed = np.ones((10, 1, 1), bool)
    observed[3:] = False
    assert fit_intervals(target, target * 0, observed=observed) == []


def test_a_series_has_margins_of_its_own_at_all_levels_or_at_none():
    rng = np.random.default_rng(0)
    series = np.repeat([0, 1, 2], 60)
    # The second series errs ten times as much, and has a value in 12 of its windows alone: enough
    # for 80 %, too few for 95 %.
    target = rng.normal(size=(180, 2, 1)) * np.where(series == 1, 10, 1)[:, None, None]
    observed = np.ones(target.shape, dtype=bool)
    observed[72:120] = False
    pooled = fit_intervals(target, np.zeros_like(target), observed=observed)
    low, high = margins_by_series(pooled, series, 3, target, np.zeros_like(target),
                                  observed=observed)
    assert (low <= high).all()
    assert low[1].tolist() == pooled[0].margin.tolist()
    own = np.sort(np.abs(target[:60, 0, 0]))  # ranks by hand: ceil(61 * 0.8), ceil(61 * 0.95)
    assert (low[0, 0, 0], high[0, 0, 0]) == (own[49 - 1], own[58 - 1])
