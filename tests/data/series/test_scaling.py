"""The scale of a series."""

import json
import re

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler as Reference

from amlnn.data.series.scaling import StandardScaler
from amlnn.errors import DataError

VALUES = np.random.default_rng(0).normal([5, -1000, 1e-3], [2, 30, 1e-4], size=(50, 3))


def test_it_agrees_with_scikit_learn():
    scaler, reference = StandardScaler.fit(VALUES), Reference().fit(VALUES)
    np.testing.assert_allclose(scaler.transform(VALUES), reference.transform(VALUES))
    np.testing.assert_allclose(scaler.inverse(VALUES), reference.inverse_transform(VALUES))


def test_what_is_missing_is_left_out():
    values, observed = VALUES.copy(), np.random.default_rng(1).random(VALUES.shape) > 0.3
    values[~observed] = np.nan
    scaler, reference = StandardScaler.fit(values, observed), Reference().fit(values)
    np.testing.assert_allclose(scaler.mean, reference.mean_)
    np.testing.assert_allclose(scaler.deviation, reference.scale_)


def test_it_survives_a_checkpoint_to_the_bit():
    scaler = StandardScaler.fit(VALUES)
    again = StandardScaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    assert np.array_equal(again.mean, scaler.mean)
    assert np.array_equal(again.deviation, scaler.deviation)


@pytest.mark.parametrize(('value', 'shown'), [
    (0.0, '0'), (0.1, '0.1'), (1e9, '1000000000'), (1234567890.25, '1234567890.25')])
def test_a_constant_column_is_named(value, shown):
    values = VALUES.copy()
    values[:, 1] = value
    message = re.escape(f'`b` is {shown} in all 50 training rows')
    with pytest.raises(DataError, match=message) as caught:
        StandardScaler.fit(values, columns=['a', 'b', 'c'])
    assert 'leave `b` out' in caught.value.hint
    with pytest.raises(DataError, match='column `1`'):
        StandardScaler.fit(values)


def test_a_column_constant_where_it_is_observed_is_named_and_so_is_an_empty_one():
    values, observed = VALUES.copy(), np.ones(VALUES.shape, dtype=bool)
    observed[1:, 2] = False
    with pytest.raises(DataError, match='column `2` is'):
        StandardScaler.fit(values, observed)
    observed[0, 2] = False
    with pytest.raises(DataError, match='column `2` has no value in the 50 training rows'):
        StandardScaler.fit(values, observed)


def test_the_identity_changes_nothing():
    assert np.array_equal(StandardScaler.identity(3).transform(VALUES), VALUES)
