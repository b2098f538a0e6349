"""Systems by Cholesky's factor have numpy's solutions, whatever their size."""

import numpy as np
import pytest

from amlnn.formulas import cholesky
from amlnn.formulas.cholesky import backwards, damped_factor, damped_solution, forwards


def system(size: int, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(size)
    rows = random.normal(size=(size, size)).astype(dtype)
    return rows @ rows.T, random.normal(size=(size, 3)).astype(dtype)


@pytest.mark.parametrize('size', [1, 7, 64, 300])
def test_solutions_are_numpys(size):
    square, right = system(size)
    expected = np.linalg.solve(square + 2.5 * np.eye(size), right)
    np.testing.assert_allclose(damped_solution(square, right, 2.5), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize('step', [1, 4, 100])
def test_a_factor_gives_the_solutions_of_its_first_equations_too(monkeypatch, step):
    monkeypatch.setattr(cholesky, '_STEP', step)
    square, right = system(30)
    lower = damped_factor(square, 1.0)
    np.testing.assert_allclose(lower @ lower.T, square + np.eye(30), atol=1e-9)
    given = forwards(lower, right)
    np.testing.assert_allclose(lower @ given, right, atol=1e-9)
    for size in (1, 11, 30):
        expected = np.linalg.solve(square[:size, :size] + np.eye(size), right[:size])
        np.testing.assert_allclose(backwards(lower[:size, :size], given[:size]), expected,
                                   atol=1e-9)


def test_nothing_that_was_given_is_changed_and_single_precision_stays():
    square, right = system(40, np.float32)
    before = square.copy(), right.copy()
    found = damped_solution(square, right, 5.0)
    assert found.dtype == np.float32
    assert np.array_equal(square, before[0]) and np.array_equal(right, before[1])
    np.testing.assert_allclose(found, np.linalg.solve(
        square.astype(np.float64) + 5 * np.eye(40), right), rtol=1e-3, atol=1e-4)


def test_what_rounding_leaves_no_factor_has_the_solution_of_exact_arithmetic():
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 6)).repeat(3, axis=1)  # each number three times
    square, right = rows.T @ rows, rows.T @ random.normal(size=(60, 2))
    single = square.astype(np.float32)
    with pytest.raises(np.linalg.LinAlgError):
        damped_factor(single, 1e-6)
    found = damped_solution(single, right.astype(np.float32), 1e-6)
    expected = np.linalg.solve(square + 1e-6 * np.eye(18), right)
    np.testing.assert_allclose(rows @ found, rows @ expected, atol=1e-3)
