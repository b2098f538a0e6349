"""From the scale of a training part back to the units of the data."""

from amlnn.formulas.arrays import Array

__all__ = ['unscaled']


def unscaled(values: Array, mean: Array | float, deviation: Array | float) -> Array:
    """Scaled values in the units of the data: values * deviation + mean.

    Args:
        values: Array or tensor [..., C], or [...] of one column.
        mean: [C], or that of the one column.
        deviation: [C], or that of the one column.

    >>> import numpy as np
    >>> unscaled(np.array([-1.0, 0.5]), mean=20.0, deviation=4.0).tolist()
    [16.0, 22.0]
    """
    return values * deviation + mean
