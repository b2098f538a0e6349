"""Forecasters compared at several rolling origins, and the weights with which they go together.

Axes: K origins, M forecasters, N windows, P steps ahead, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.combination import blend_weights
from amlnn.results.forecasts import Forecasts, read_forecasts

__all__ = ['BLEND', 'EQUAL', 'METRICS', 'OriginRow', 'blended', 'error_products',
           'rows_with_blends']

EQUAL = 'equal parts'
BLEND = 'blend'

METRICS = {'mse': np.square, 'mae': np.abs}
"""What origins can be compared by: the mean of this of every error, in scaled units."""

_BLOCK = 512  # windows at a time


@dataclass
class OriginRow:
    """A forecaster's errors at each origin.

    >>> row = OriginRow('gru', [[1.0, 3.0], [4.0, 4.0]])
    >>> row.by_origin, row.mean, round(row.spread, 3)
    ([2.0, 4.0], 3.0, 1.414)
    """

    name: str
    errors: list[list[float]]
    """Of each origin those of each seed."""
    weights: list[float] = field(default_factory=list)
    """Of a blend, one a member, found on all origins."""

    @property
    def by_origin(self) -> list[float]:
        """K means over the seeds."""
        return [fmean(each) for each in self.errors]

    @property
    def mean(self) -> float:
        """Over the origins."""
        return fmean(self.by_origin)

    @property
    def spread(self) -> float:
        """Standard deviation over the origins."""
        return stdev(self.by_origin) if len(self.errors) > 1 else 0.0

    def wins(self, other: 'OriginRow') -> int:
        """At how many origins this one errs less.

        >>> OriginRow('a', [[1.0], [4.0]]).wins(OriginRow('b', [[2.0], [3.0]]))
        1
        """
        return sum(own < others for own, others in zip(self.by_origin, other.by_origin,
                                                       strict=True))


def error_products(members: Sequence[Forecasts]) -> np.ndarray:
    """[M, M] mean products of the errors of several forecasters on the same windows.

    Raises:
        DataError: their windows are not the same.

    >>> run = tiny_forecaster()  # errs by 0 and 1 in turns
    >>> error_products([run.forecasts('test'), run.forecasts('test')]).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    first = members[0]
    for other in members[1:]:
        if not np.array_equal(other.ids, first.ids) or other.targets.shape != first.targets.shape:
            raise DataError('they forecast other windows', hint='give them one horizon, one file '
                            'and look-backs shorter than the part before the first origin')
    products_MM, count = np.zeros((len(members),) * 2), 0
    for rows in _blocks(first):
        error_MX = np.stack([_errors(each, rows) for each in members])
        products_MM += error_MX @ error_MX.T
        count += error_MX.shape[1]
    return products_MM / max(count, 1)


def _blocks(forecasts: Forecasts) -> list[slice]:
    return [slice(first, first + _BLOCK) for first in range(0, len(forecasts.ids), _BLOCK)]


def _errors(forecasts: Forecasts, rows: slice) -> np.ndarray:
    """[X] float64, those of observed values."""
    error_BPC = forecasts.forecasts[rows].astype(np.float64) - forecasts.targets[rows]
    errors: np.ndarray = error_BPC.ravel() if forecasts.observed is None \
        else error_BPC[forecasts.observed[rows]]
    return errors


def blended(members: Sequence[Forecasts], weights: Sequence[float], metric: str) -> float:
    """The error of a weighted sum of forecasts.

    Args:
        members: Of the same windows.
        weights: M.
        metric: 'mse' or 'mae'.

    >>> run = tiny_forecaster()
    >>> blended([run.forecasts('test')] * 2, [0.5, 0.5], 'mae')
    0.5
    """
    total, count = 0.0, 0
    for rows in _blocks(members[0]):
        error_X = sum(weight * _errors(each, rows)
                      for weight, each in zip(weights, members, strict=True))
        total += float(METRICS[metric](error_X).sum())
        count += np.size(error_X)
    return total / max(count, 1)


def rows_with_blends(rows: Sequence[OriginRow], files: Sequence[Sequence[Sequence[Path]]],
                     metric: str) -> list[OriginRow]:
    """Rows of forecasters, and those of all of them together.

    The error of a blend at an origin is that of the weights which the other origins give, so it
    stands beside those of single forecasters, of which nothing was chosen; the weights that the row
    states are those of all origins. The members in equal parts choose nothing.

    Args:
        rows: M of them.
        files: `predictions_test.npz` of each forecaster, origin and seed.
        metric: 'mse' or 'mae'.

    Returns:
        M rows, and two more where there are two or more origins and members.

    Raises:
        DataError: a file cannot be read, or their windows are not the same.

    >>> file = tiny_forecaster().folder / 'predictions_test.npz'
    >>> rows = [OriginRow(name, [[0.5], [0.5]]) for name in ('gru', 'lstm')]
    >>> found = rows_with_blends(rows, [[[file], [file]]] * 2, 'mse')
    >>> [(row.name, row.mean, row.weights) for row in found[2:]]
    [('equal parts', 0.5, [0.5, 0.5]), ('blend', 0.5, [1.0, 0.0])]
    """
    members, origins, seeds = len(rows), len(files[0]), len(files[0][0])
    if members < 2 or origins < 2:
        return list(rows)
    products_KSMM = np.array([[error_products([read_forecasts(each[origin][seed])
                                               for each in files]) for seed in range(seeds)]
                              for origin in range(origins)])
    equal = [1 / members] * members
    equals: list[list[float]] = []
    blends: list[list[float]] = []
    for origin in range(origins):
        others = [place for place in range(origins) if place != origin]
        weights = blend_weights(products_KSMM[others].mean(axis=(0, 1))).tolist()
        equals.append([])
        blends.append([])
        for seed in range(seeds):
            of_all = [read_forecasts(each[origin][seed]) for each in files]
            equals[-1].append(blended(of_all, equal, metric))
            blends[-1].append(blended(of_all, weights, metric))
    whole = blend_weights(products_KSMM.mean(axis=(0, 1)))
    return [*rows, OriginRow(EQUAL, equals, equal), OriginRow(BLEND, blends, whole.tolist())]
