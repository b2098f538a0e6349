import numpy as np
import pytest

from amlnn.formulas.seeds import mean_and_deviation


def test_the_deviation_is_that_of_the_sample_and_one_seed_has_none():
    values = [0.91, 0.93, 0.88]
    assert mean_and_deviation(values) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert mean_and_deviation([0.5]) == (0.5, None)
