"""Ridge on class labels against scikit-learn, and its left-out groups against fits without them."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.preprocessing import StandardScaler

from amlnn.formulas.cholesky import damped_factor
from amlnn.formulas.nested_ridge import nested_scores, stages_together
from amlnn.formulas.ridge import Ridge, indicators, one_hot, ridge_scores
from amlnn.formulas.standardised import blocks, standardise


def data(images: int, features: int, classes: int = 4, seed: int = 0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(images, features)) @ random.normal(size=(features, features))
    labels = np.argmax(x[:, :classes] + random.normal(size=(images, classes)), axis=1)
    return x, labels, random.normal(size=(7, features))


@pytest.mark.parametrize('sizes', [(60, 12), (20, 50)])
@pytest.mark.parametrize('strength', [0.1, 10.0, 1000.0])
def test_scores_are_scikit_learns(sizes, strength):
    x, labels, queries = data(*sizes)
    targets = indicators(labels, 4)
    expected = SklearnRidge(alpha=strength).fit(x, targets).predict(queries)
    for found in (Ridge(x, targets).scores(queries, strength),
                  ridge_scores(x, targets, queries, strength)):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('sizes', [(40, 12), (20, 50)])
@pytest.mark.parametrize('strength', [0.5, 50.0])
def test_what_is_left_out_is_what_a_fit_without_it_says(sizes, strength):
    x, labels, _ = data(*sizes)
    targets = indicators(labels, 4)
    groups = np.random.default_rng(1).integers(0, len(x) // 2, len(x))
    *_, found = Ridge(x, targets).left_out([7.0, strength], groups)
    (alone,) = Ridge(x, targets).left_out([strength])
    assert np.bincount(groups).max() > 2
    for row in range(len(x)):
        rest, others = groups != groups[row], np.arange(len(x)) != row
        refit = SklearnRidge(alpha=strength).fit(x[rest], targets[rest]).predict(x[[row]])
        np.testing.assert_allclose(found[[row]], refit, rtol=1e-6, atol=1e-6)
        refit = SklearnRidge(alpha=strength).fit(x[others], targets[others]).predict(x[[row]])
        np.testing.assert_allclose(alone[[row]], refit, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('images', [50, 13])  # by features, and by images
@pytest.mark.parametrize('strengths', [[1, 2, 3], [2, 1, 2], [5, 5, 5]])
@pytest.mark.parametrize('first', [1, 2])
def test_scores_of_ever_more_stages_are_those_of_all_of_them_together(monkeypatch, images,
                                                                      strengths, first):
    monkeypatch.setattr('amlnn.formulas.nested_ridge.blocks', lambda count: blocks(count, 7))
    x, labels, _ = data(images, 14)
    queries = data(9, 14, seed=1)[0]
    targets, parts = indicators(labels, 4), (slice(7, 14), slice(2, 7), slice(0, 2))
    scaler = StandardScaler().fit(x)

    def together(of: np.ndarray, count: int) -> np.ndarray:
        return np.hstack([scaler.transform(of)[:, part] / np.sqrt(part.stop - part.start)
                          for part in parts[:count]])

    stages = [standardise(x[:, part]) for part in parts]
    np.testing.assert_allclose(stages_together(stages, slice(3, 9)), together(x, 3)[3:9])
    found = nested_scores(stages, [queries[:, part] for part in parts], targets,
                          strengths[first - 1:], first)
    assert len(found) == 4 - first
    for count, scores in enumerate(found, first):
        expected = SklearnRidge(alpha=strengths[count - 1]).fit(
            together(x, count), targets).predict(together(queries, count))
        np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6)


def test_stages_whose_squares_rounding_leaves_no_factor_are_solved_all_the_same():
    x = (1e6 * np.repeat(data(60, 6)[0], 3, axis=1)).astype(np.float32)  # each number three times
    stage = standardise(x)
    rows = stages_together([stage], slice(None))
    with pytest.raises(np.linalg.LinAlgError):
        damped_factor(rows.T @ rows, 1e-9)
    (found,) = nested_scores([stage], [x], indicators(np.arange(60) % 4, 4, np.float32), [1e-9])
    assert found.shape == (60, 4) and np.isfinite(found).all()


def test_an_image_that_comes_twice_tells_on_itself_unless_both_are_left_out():
    x, _, _ = data(30, 40)
    labels = np.random.default_rng(2).permutation(np.arange(30) % 2)  # nothing can be learned
    twice, both = np.concatenate([x, x + 1e-3]), np.concatenate([labels, labels])
    ridge = Ridge(twice, indicators(both, 2))
    groups = np.tile(np.arange(30), 2)
    for given, low, high in ((None, 0.95, 1), (groups, 0, 0.8)):
        (told,) = ridge.left_out([1.0], given)
        assert low < (told.argmax(1) == both).mean() <= high


def test_a_strength_of_more_penalty_brings_scores_to_the_mean():
    x, labels, queries = data(60, 12)
    ridge = Ridge(x, indicators(labels, 4))
    far = [np.abs(ridge.scores(queries, strength) - ridge.targets.mean(0)).max()
           for strength in (1.0, 100.0, 1e9)]
    assert far[0] > far[1] > far[2] and far[2] < 1e-4


def test_features_are_standardised_as_by_scikit_learn_and_a_constant_one_is_nothing():
    x, _, queries = data(30, 6)
    scale = standardise(x)
    scaler = StandardScaler().fit(x)
    np.testing.assert_allclose(scale.rows(slice(None)), scaler.transform(x), atol=1e-9)
    np.testing.assert_allclose(scale.of(queries), scaler.transform(queries), atol=1e-9)
    x[:, 2] = 3.0
    assert not standardise(x).of(queries)[:, 2].any()
    for dtype, expected in ((np.float64, np.float64), (np.float32, np.float32),
                            (np.float16, np.float32)):
        assert standardise(x.astype(dtype)).rows(slice(0, 3)).dtype == expected


def test_single_precision_agrees_to_its_digits():
    x, labels, queries = data(80, 30)
    targets = indicators(labels, 4)
    exact = Ridge(x, targets)
    single = Ridge(x.astype(np.float32), targets.astype(np.float32))
    assert single.scores(queries.astype(np.float32), 10.0).dtype == np.float32
    np.testing.assert_allclose(single.scores(queries.astype(np.float32), 10.0),
                               exact.scores(queries, 10.0), atol=1e-3)
    for mine, theirs in zip(single.left_out([10.0]), exact.left_out([10.0]), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, atol=1e-3)


def test_labels_are_one_number_a_class():
    assert one_hot(np.array([2, 0]), 3, np.float32).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert np.array_equal(indicators(np.array([2, 0]), 3), 2 * np.eye(3)[[2, 0]] - 1)
