"""The way back to the units of the data is one formula, wherever it is taken."""

import numpy as np
import pytest
import torch

from amlnn.data.series.scaling import StandardScaler
from amlnn.formulas.scales import unscaled
from amlnn.results.forecasts import Forecasts

RANDOM = np.random.default_rng(0)
MEAN, DEVIATION = RANDOM.normal(size=3) * 1e3, RANDOM.random(3) + 0.1


@pytest.mark.parametrize('kind', [np.float32, np.float64])
def test_all_columns_are_brought_back_to_the_bit_as_one_product_and_one_sum(kind):
    values = RANDOM.normal(size=(50, 4, 3)).astype(kind)
    expected = np.add(np.multiply(values, DEVIATION), MEAN)
    scaler = StandardScaler(MEAN, DEVIATION)
    stored = Forecasts(np.array([]), values, values, ['a', 'b', 'c'], MEAN, DEVIATION)
    for found in (unscaled(values, MEAN, DEVIATION), scaler.inverse(values),
                  stored.original(values)):
        assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_one_column_is_brought_back_as_among_all():
    values = RANDOM.normal(size=(50, 4, 3)).astype(np.float32)
    one = unscaled(values[..., 1], MEAN[1], DEVIATION[1])
    assert np.array_equal(one, unscaled(values, MEAN, DEVIATION)[..., 1])


def test_tensors_stay_tensors_of_their_own_precision():
    values, mean, deviation = (torch.from_numpy(each.astype(np.float32)) for each in
                               (RANDOM.normal(size=(9, 3)), MEAN, DEVIATION))
    found = unscaled(values, mean, deviation)
    assert torch.equal(found, torch.add(torch.mul(values, deviation), mean))
    assert found.dtype == torch.float32


def test_it_undoes_what_the_scaler_did():
    values = RANDOM.normal(size=(20, 3)) * DEVIATION + MEAN
    scaler = StandardScaler(MEAN, DEVIATION)
    np.testing.assert_allclose(scaler.inverse(scaler.transform(values)), values, rtol=1e-12)
