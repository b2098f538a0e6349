"""What repeating the value of a season ago errs in the training rows: the unit of MASE.

S series, C target columns.
"""

import contextlib
import math

import numpy as np

from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError
from amlnn.formulas.forecast_errors import seasonal_naive_error

__all__ = ['naive_error']


def naive_error(dataset: SeriesWindows) -> list[float] | np.ndarray:
    """Mean absolute error of repeating the value of a season ago, in the training rows.

    Args:
        dataset: Windows of any part.

    Returns:
        One number a target column, in scaled units; where the season is not known, that of
        repeating the value before. Of a panel [S, C], for each of the scaler's ids; NaN where
        there is none.
    """
    if dataset.ids:
        return _naive_errors(dataset)
    try:
        return seasonal_naive_error(dataset.training_values, dataset.season or 1).tolist()
    except DataError:  # a training part shorter than a season: the errors that need it are NaN
        return [math.nan] * len(dataset.columns)


def _naive_errors(dataset: SeriesWindows) -> np.ndarray:
    found = np.full((len(dataset.scaler.ids), len(dataset.columns)), math.nan)
    places = dataset.scaler.places(dataset.ids)
    values, bounds, _ = dataset.part_rows('train')
    for place, first, stop in zip(places, bounds, bounds[1:], strict=False):
        with contextlib.suppress(DataError):
            found[place] = seasonal_naive_error(values[first:stop], dataset.season or 1)
    return found
