"""What stands in the place of missing values.

Axes: N windows, L rows, C columns.
"""

from types import ModuleType

import numpy as np

from amlnn.formulas.arrays import Array

__all__ = ['fill_forward']


def fill_forward(values: Array, known: Array, otherwise: Array | float = 0.0,
                 xp: ModuleType = np) -> Array:
    """Give every missing value the last one before it, or, at the start, the first one after it.

    Args:
        values: Array or tensor [N, L, C]; those missing are not read.
        known: [N, L, C] bool, False where a value is missing.
        otherwise: [C] or [N, 1, C], for a column of a window without any value.
        xp: The module of `values`, numpy or torch.

    >>> values = np.array([[[0.0], [2.0], [9.0], [3.0]]])
    >>> fill_forward(values, np.array([[[False], [True], [False], [True]]])).ravel().tolist()
    [2.0, 2.0, 2.0, 3.0]
    """
    rows = xp.ones_like(known, dtype=xp.int64).cumsum(1) - 1
    first = xp.amin(xp.where(known, rows, values.shape[1] - 1), 1)[:, None]
    # Two steps that the libraries name differently.
    if xp is np:
        latest = np.maximum.accumulate(np.where(known, rows, -1), axis=1)
        filled = xp.take_along_axis(values, np.where(latest < 0, first, latest), axis=1)
    else:
        latest = xp.where(known, rows, -1).cummax(1).values
        filled = xp.gather(values, 1, xp.where(latest < 0, first, latest))
    whole: Array = xp.where(xp.any(known, 1)[:, None], filled, otherwise)
    return whole
