"""Principal components are scikit-learn's, up to the sign of a direction."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from amlnn.formulas.principal import principal_components


@pytest.mark.parametrize(('points', 'numbers'), [(200, 8), (12, 40), (300, 2)])
def test_coordinates_and_shares_are_those_of_scikit_learn(points, numbers):
    random = np.random.default_rng(0)
    given = random.standard_normal((points, numbers)) @ random.standard_normal((numbers, numbers))
    coordinates, shares = principal_components(given.astype(np.float32), 2)
    reference = PCA(2).fit(given)
    expected = reference.transform(given)
    signs = np.sign((expected * coordinates).sum(axis=0))
    np.testing.assert_allclose(coordinates * signs, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(shares, reference.explained_variance_ratio_, rtol=1e-4)


def test_a_direction_points_to_where_its_largest_number_is_positive():
    given = np.array([[0.0, 0.0], [-3.0, 1.0], [-6.0, 2.0]])
    assert principal_components(given, 1)[0][:, 0].tolist() == pytest.approx(
        [-(10 ** 0.5), 0, 10 ** 0.5]) or principal_components(given, 1)[0][0, 0] > 0
    same, _ = principal_components(given, 1)
    np.testing.assert_array_equal(same, principal_components(given.copy(), 1)[0])


@pytest.mark.parametrize('given', [np.ones((5, 3)), np.ones((1, 3)), np.arange(4.0)[:, None]],
                         ids=['one place', 'one point', 'one number'])
def test_what_has_no_second_direction_has_zeros_there(given):
    coordinates, shares = principal_components(given, 2)
    assert coordinates.shape == (len(given), 2) and np.isfinite(coordinates).all()
    assert (coordinates[:, 1] == 0).all() and shares[1] == 0
