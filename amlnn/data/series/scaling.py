"""The scale of a series, learned from its training rows only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.scales import unscaled

__all__ = ['StandardScaler']


@dataclass
class StandardScaler:
    """Takes a column's mean away and divides by its deviation.

    >>> scaler = StandardScaler.fit(np.array([[1.0], [3.0]]))
    >>> scaler.transform(np.array([[5.0]])).tolist(), scaler.to_dict()
    ([[3.0]], {'mean': [2.0], 'deviation': [1.0]})
    """

    mean: np.ndarray
    """[C] float64."""
    deviation: np.ndarray
    """[C] float64, of the population (the sum of squares is divided by the count), above 0."""

    @classmethod
    def fit(cls, values: np.ndarray, observed: np.ndarray | None = None,
            columns: Sequence[str] | None = None) -> 'StandardScaler':
        """Learn from training rows.

        Args:
            values: [T, C].
            observed: [T, C] bool; what is False is left out.
            columns: The C names, for errors.

        Raises:
            DataError: a column has no value, or the same value in all rows.
        """
        values = np.asarray(values, dtype=np.float64)
        names = [str(place) for place in range(values.shape[1])] if columns is None else columns
        mean, deviation = np.empty(values.shape[1]), np.empty(values.shape[1])
        for place, name in enumerate(names):
            column = values[:, place]
            if observed is not None:
                column = column[observed[:, place]]
            hint = f'leave `{name}` out (columns of the source, targets), or set scale=False'
            if not len(column):
                raise DataError(f'column `{name}` has no value in the {len(values)} training rows',
                                hint=hint)
            # Not `deviation == 0`: the mean of equal numbers may miss them by a rounding error.
            if column.min() == column.max():
                raise DataError(f'column `{name}` is {column[0]:.15g} in all {len(values)} '
                                'training rows: its deviation is 0', hint=hint)
            mean[place], deviation[place] = column.mean(), column.std()
        return cls(mean, deviation)

    @classmethod
    def identity(cls, columns: int) -> 'StandardScaler':
        """The scaler of `columns` columns that changes nothing."""
        return cls(np.zeros(columns), np.ones(columns))

    @classmethod
    def from_dict(cls, state: dict[str, list[float]]) -> 'StandardScaler':
        """The scaler of which `to_dict` made `state`."""
        return cls(np.array(state['mean'], dtype=np.float64),
                   np.array(state['deviation'], dtype=np.float64))

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists, for a checkpoint."""
        return {'mean': self.mean.tolist(), 'deviation': self.deviation.tolist()}

    def transform(self, values: np.ndarray) -> np.ndarray:
        """[..., C] in the scale of the data to scaled."""
        return (values - self.mean) / self.deviation

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """[..., C] scaled to the scale of the data."""
        return unscaled(values, self.mean, self.deviation)
