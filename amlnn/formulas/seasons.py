"""What the seasons of a series have in common."""

from amlnn.formulas.arrays import Array

__all__ = ['season_means']


def season_means(values: Array, season: int) -> Array:
    """[N, S, C]: the mean, for each of the S rows of a season, over all whole seasons in a window.

    Args:
        values: Array or tensor [N, L, C]; rows before the first whole season, counted from the end
            of the window, are left out.
        season: S, at most L.

    >>> import numpy as np
    >>> season_means(np.array([[[9.0], [1.0], [2.0], [3.0], [6.0]]]), 2).ravel().tolist()
    [2.0, 4.0]
    """
    windows, rows, columns = values.shape
    seasons = rows // season
    whole = values[:, rows - seasons * season:]
    means: Array = whole.reshape(windows, seasons, season, columns).mean(1)
    return means
