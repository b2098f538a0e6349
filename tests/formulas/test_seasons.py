import numpy as np
import pytest
import torch

from amlnn.formulas.seasons import season_means


@pytest.mark.parametrize(('rows', 'season'), [(12, 4), (14, 4), (4, 4), (5, 1)])
def test_arrays_and_tensors_have_the_mean_over_the_same_rows_of_whole_seasons(rows, season):
    values = np.random.default_rng(0).normal(size=(2, rows, 3))
    expected = np.empty((2, season, 3))
    for place in range(season):
        same = [row for row in range(rows) if (rows - row - 1) % season == season - place - 1
                and row >= rows % season]
        expected[:, place] = sum(values[:, row] for row in same) / len(same)
    np.testing.assert_allclose(season_means(values, season), expected)
    np.testing.assert_allclose(season_means(torch.from_numpy(values), season).numpy(), expected)
