"""Windows of the test part that occur in the training part too.

Axes: T rows of the series, N windows, K windows with a copy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ['OverlapReport', 'find_copies']


@dataclass(frozen=True)
class OverlapReport:
    """Test windows that occur, number by number, in the training part too."""

    windows: int
    """Test windows looked at; those that are one value throughout are not."""
    test_rows: np.ndarray
    """[K] int64, first rows of the test windows that have a copy."""
    train_rows: np.ndarray
    """[K] int64, first row of the first copy of each."""

    @property
    def count(self) -> int:
        """Test windows with a copy."""
        return len(self.test_rows)

    def describe(self, names: Callable[[np.ndarray], list[str]] | None = None) -> str:
        """One sentence.

        Args:
            names: What rows [N] are called; None for their numbers.

        >>> OverlapReport(20, np.array([80, 81]), np.array([0, 1])).describe()
        '2 of 20 test windows occur in the training part too: the one at row 80 is also at row 0'
        """
        if not self.count:
            return f'none of {self.windows} test windows occurs in the training part'
        rows = np.array([self.test_rows[0], self.train_rows[0]])
        test, train = names(rows) if names else (f'row {row}' for row in rows)
        return (f'{self.count} of {self.windows} test windows occur in the training part too: the '
                f'one at {test} is also at {train}')


def find_copies(rows: np.ndarray, test: np.ndarray, length: int,
                train: np.ndarray) -> OverlapReport:
    """Find test windows that also lie in the training part, number by number.

    Windows that hold one row throughout are left out, as a sensor that stands still repeats itself.

    Args:
        rows: [T, anything]; two rows are the same if all of their numbers are.
        test: [N] int64, rows at which the test windows begin.
        length: Rows of a window.
        train: [M] int64, rows at which windows of the training part begin, rising.
    """
    kinds = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    hashes = _window_hashes(kinds, length)
    changes = np.concatenate([[0], np.cumsum(np.diff(kinds) != 0)])
    test = test[changes[test + length - 1] > changes[test]]
    known, first = np.unique(hashes[train], return_index=True)
    first = train[first]
    place = np.searchsorted(known, hashes[test]).clip(max=len(known) - 1)
    pairs = [(start, copy) for start, copy in zip(test, first[place], strict=True)
             if hashes[start] == hashes[copy]
             and np.array_equal(kinds[start:start + length], kinds[copy:copy + length])]
    test_rows, train_rows = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return OverlapReport(len(test), test_rows, train_rows)


def _window_hashes(kinds: np.ndarray, length: int) -> np.ndarray:
    """[T - length + 1] uint64, equal for windows of equal rows.

    A polynomial in an odd base, modulo 2 ** 64, of a random number for each kind of row: a window
    is a difference of two running sums, brought to a common power.
    """
    codes = np.random.default_rng(0).integers(0, 2 ** 64, kinds.max() + 1, dtype=np.uint64)
    base = 0x9E3779B97F4A7C15
    powers = np.full(len(kinds), base, dtype=np.uint64)
    inverse = np.full(len(kinds), pow(base, -1, 2 ** 64), dtype=np.uint64)
    powers[0] = inverse[0] = 1
    powers, inverse = np.cumprod(powers), np.cumprod(inverse)  # overflow is the modulus
    sums = np.concatenate([[np.uint64(0)], np.cumsum(codes[kinds] * powers)])
    return (sums[length:] - sums[:-length]) * inverse[:len(kinds) - length + 1]
