"""Missing values are filled from their own column, in numpy and in torch alike."""

import numpy as np
import pytest
import torch

from amlnn.formulas.gaps import fill_forward


def one_by_one(values, known, otherwise):
    """The same, value by value."""
    filled = values.copy()
    for window, _, column in np.ndindex(values.shape[0], 1, values.shape[2]):
        here = np.flatnonzero(known[window, :, column])
        for row in range(values.shape[1]):
            before = here[here <= row]
            filled[window, row, column] = otherwise[column] if not len(here) else \
                values[window, before[-1] if len(before) else here[0], column]
    return filled


@pytest.mark.parametrize('share', [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize('kind', [np.float32, np.float64])
def test_a_missing_value_is_the_last_known_one_or_at_the_start_the_first(share, kind):
    random = np.random.default_rng(0)
    values = random.normal(size=(7, 12, 3)).astype(kind)
    known = random.random(values.shape) < share
    values[~known] = np.nan
    expected = one_by_one(values, known, np.zeros(3))
    found = fill_forward(values, known)
    assert np.array_equal(found, expected) and found.dtype == kind
    tensor = fill_forward(torch.from_numpy(values), torch.from_numpy(known), xp=torch)
    assert np.array_equal(tensor.numpy(), expected) and tensor.numpy().dtype == kind


def test_a_column_without_any_value_gets_the_one_given_for_it():
    values = np.array([[[np.nan, 1.0]], [[2.0, np.nan]]])
    found = fill_forward(values, ~np.isnan(values), np.array([7.0, 8.0]))
    assert found.tolist() == [[[7.0, 1.0]], [[2.0, 8.0]]]
