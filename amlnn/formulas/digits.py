"""As many digits of a number as its scale gives a meaning to.

What a column of numbers can tell is set by how far they spread, not by how large they are: of
1,234,567,890 in a column that swings by 80, the digits after the dot count; of 0.001 in a column
that spreads by a million, none does.
"""

import math
from collections.abc import Iterable

__all__ = ['fixed', 'in_digits', 'shown']

_AFTER_FIRST = 5
"""Digits below the first one of the deviation. Forecasts are float32 in its units: 7 in all."""


def in_digits(values: Iterable[float], deviation: float) -> list[str]:
    """Numbers as text, all to the same place: 100,000th parts of their deviation.

    Args:
        values: The numbers.
        deviation: How far the column spreads, above 0.

    >>> in_digits([1234567890.123456, -0.5], 28.0), in_digits([12.3456789], 3e6)
    (['1234567890.1235', '-0.5000'], ['10'])
    >>> in_digits([1.23456789e-7], 2e-8), in_digits([float('nan')], 1.0)
    (['0.0000001234568'], ['nan'])
    """
    place = math.floor(math.log10(deviation)) - _AFTER_FIRST
    return [_to_place(float(value), place) for value in values]


def shown(value: float, digits: int = 4) -> str:
    """One number by itself, to so many significant digits; whole ones in full.

    >>> shown(1234567890.0), shown(0.000012345), shown(12.3), shown(1234567.891)
    ('1,234,567,890', '1.234e-05', '12.3', '1,234,568')
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 10 ** digits and abs(value) < 1e15:
        return f'{value:,.0f}'
    return f'{value:.{digits}g}'


def fixed(value: float, decimals: int = 4) -> str:
    """A number with so many decimals, or three digits of one that they would hide.

    >>> fixed(0.38421), fixed(0.0), fixed(2.345e-7), fixed(0.001)
    ('0.3842', '0.0000', '2.34e-07', '0.0010')
    """
    if 0 < abs(value) < 10 ** (1 - decimals):
        return f'{value:.2e}'
    return f'{value:.{decimals}f}'


def _to_place(value: float, place: int) -> str:
    """Rounded to a power of ten."""
    if not math.isfinite(value):
        return str(value)
    if place < -15 or abs(value) >= 1e16:
        leading = math.floor(math.log10(abs(value))) if value else place
        return f'{value:.{max(leading - place, 0)}e}'
    if place > 0:
        return str(int(round(value, -place)))
    return f'{round(value, -place) + 0.0:.{-place}f}'
