"""Whether the numbers of an argument can do their work, by what its class declares of them."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

__all__ = ['numbers_alone', 'numbers_instead']


def numbers_instead(value: object, above: float | None) -> str:
    """What is wanted where a number, or one of a list, is not finite or not above another; else ''.

    Args:
        value: Of the argument; what holds other things than numbers is let pass.
        above: What they have to be greater than; None for finite alone.

    >>> numbers_instead([58.4, 0, 57.4], 0), numbers_instead(float('nan'), None)
    ('numbers above 0', 'finite numbers')
    >>> numbers_instead([58.4, 57.1, 57.4], 0), numbers_instead('model', 0)
    ('', '')
    """
    numbers = _numbers(value)
    if numbers is None or all(isfinite(each) and (above is None or each > above)
                              for each in numbers):
        return ''
    return 'finite numbers' if above is None else f'numbers above {above}'


def numbers_alone(section: Mapping[str, Any], key: str, partner: str) -> str:
    """What is wrong with an argument's numbers beside another's, which they go with; else ''.

    Args:
        section: What a config gives a class.
        key: Of the argument.
        partner: Of the other.

    >>> numbers_alone({'std': [1, 1, 1]}, 'std', 'mean')
    'there is no `mean`, without which `std` does nothing'
    >>> numbers_alone({'std': [1, 1, 1], 'mean': [0, 0]}, 'std', 'mean')
    '`std` has 3 numbers and `mean` 2'
    >>> numbers_alone({'std': [1], 'mean': [0, 0]}, 'std', 'mean')
    ''
    """
    one, other = section.get(key), section.get(partner)
    if (one is None) != (other is None):
        given, missing = (key, partner) if other is None else (partner, key)
        return f'there is no `{missing}`, without which `{given}` does nothing'
    ones, others = _numbers(one), _numbers(other)
    counts = [len(each) for each in (ones, others) if each is not None]
    if len(counts) == 2 and counts[0] != counts[1] and 1 not in counts:
        return f'`{key}` has {counts[0]} numbers and `{partner}` {counts[1]}'
    return ''


def _numbers(value: object) -> list[float] | None:
    """A number, or those of a list; None for anything else."""
    values: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        return values
    return None
