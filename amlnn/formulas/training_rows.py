"""Rows of one or many series, one series below the other, and where windows fit into them.

Axes: S series, T rows of all of them, C target columns, K known columns, N windows.
"""

from typing import NamedTuple

import numpy as np

__all__ = ['TrainingRows']


class TrainingRows(NamedTuple):
    """Rows of a panel; of one series, where `bounds` are its first row and its end.

    >>> rows = TrainingRows(np.arange(7.0)[:, None], np.array([0, 4, 7]))
    >>> rows.window_starts(3).tolist()
    [0, 1, 4]
    """

    values: np.ndarray
    """[T, C] float64, scaled; NaN where missing."""
    bounds: np.ndarray
    """[S + 1] int64: series s is rows bounds[s] to bounds[s + 1]."""
    known: np.ndarray | None = None
    """[T, K] float64: columns that are known of the future too, without gaps."""

    @classmethod
    def of_one(cls, values: np.ndarray, known: np.ndarray | None = None) -> 'TrainingRows':
        """A single series."""
        values = np.asarray(values, dtype=np.float64)
        return cls(values, np.array([0, len(values)]), known)

    @property
    def lengths(self) -> np.ndarray:
        """[S] int64: rows of each series."""
        return np.diff(self.bounds)

    def window_starts(self, length: int, most: int | None = None) -> np.ndarray:
        """[N] int64: the first row of every window of `length` rows within one series.

        Args:
            length: Rows of a window.
            most: As many windows at most, evenly spaced; None for all.
        """
        starts_N = _runs(self.bounds[:-1], (self.lengths - length + 1).clip(min=0))
        if most is None or len(starts_N) <= most:
            return starts_N
        return starts_N[np.arange(most) * len(starts_N) // most]

    def fill_places(self, seen_T: np.ndarray) -> np.ndarray:
        """[T] int64: the row whose value stands in for that of a row: the last one seen before it
        in its series, at the beginning the first one; itself in a series without any.

        >>> rows = TrainingRows(np.zeros((5, 1)), np.array([0, 3, 5]))
        >>> rows.fill_places(np.array([False, True, False, False, False])).tolist()
        [1, 1, 1, 3, 4]
        """
        rows_T = np.arange(len(seen_T))
        begin_T, end_T = (np.repeat(edge, self.lengths)
                          for edge in (self.bounds[:-1], self.bounds[1:]))
        before_T = np.maximum.accumulate(np.where(seen_T, rows_T, -1))
        after_T = np.minimum.accumulate(np.where(seen_T, rows_T, len(seen_T))[::-1])[::-1]
        first_T = np.where(after_T < end_T, after_T, rows_T)
        return np.where(before_T >= begin_T, before_T, first_T)

    def column_means(self) -> np.ndarray:
        """[S + 1, C]: the mean of each series, without gaps, and in the last row that of all, which
        also stands for a series without any value.

        >>> TrainingRows(np.array([[1.0], [2.0], [6.0]]), np.array([0, 1, 3])).column_means().T
        array([[1., 4., 3.]])
        """
        seen_TC = ~np.isnan(self.values)
        values_TC = np.where(seen_TC, self.values, 0)
        all_C = values_TC.sum(axis=0) / seen_TC.sum(axis=0).clip(min=1)
        means_XC = np.tile(all_C, (len(self.bounds), 1))
        if len(self.bounds) > 2:
            held_S = np.flatnonzero(self.lengths)
            sums_XC, counts_XC = (np.add.reduceat(each_TC, self.bounds[held_S], axis=0)
                                  for each_TC in (values_TC, seen_TC.astype(np.int64)))
            means_XC[held_S] = np.where(counts_XC > 0, sums_XC / counts_XC.clip(min=1), all_C)
        return means_XC

    def part(self, first_S: np.ndarray, stop_S: np.ndarray) -> 'TrainingRows':
        """Of each series the rows from `first` to `stop`, both counted within it."""
        count_S = stop_S - first_S
        rows_T = _runs(self.bounds[:-1] + first_S, count_S)
        return TrainingRows(self.values[rows_T], np.append(0, np.cumsum(count_S)),
                            None if self.known is None else self.known[rows_T])

    def last(self, rows: int) -> 'TrainingRows':
        """The last `rows` rows of each series, or as many as it has."""
        return self.part((self.lengths - rows).clip(min=0), self.lengths)

    def followed_by(self, other: 'TrainingRows') -> 'TrainingRows':
        """Each series with the rows of the same series of `other` behind its own."""
        bounds = self.bounds + other.bounds
        own_T = _runs(bounds[:-1], self.lengths)
        further_T = _runs(bounds[:-1] + self.lengths, other.lengths)

        def merged(own_TX: np.ndarray, further_TX: np.ndarray) -> np.ndarray:
            both_TX = np.empty((bounds[-1], own_TX.shape[1]))
            both_TX[own_T], both_TX[further_T] = own_TX, further_TX
            return both_TX

        known = None if self.known is None or other.known is None \
            else merged(self.known, other.known)
        return TrainingRows(merged(self.values, other.values), bounds, known)


def _runs(first_S: np.ndarray, count_S: np.ndarray) -> np.ndarray:
    """`count` numbers from each `first` on, one run behind the other."""
    ends_S = np.cumsum(count_S)
    runs: np.ndarray = np.arange(ends_S[-1]) + np.repeat(first_S - (ends_S - count_S), count_S)
    return runs
