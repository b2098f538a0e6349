"""What a value of a config can be: data, and the names of classes.

A config is compared, hashed, printed, stored as text and read back. Whatever is no data would fail
in one of these places or another, or have no meaning in the run that resumes. So it is refused
where a file or an option brings it in (`amlnn.config.located.located`): nothing behind asks again.
"""

import numbers
import os
import re
from typing import Any, NoReturn, cast

from amlnn.errors import ConfigError

__all__ = ['DEEPEST', 'Lazy', 'NoData', 'plain_leaf', 'plain_name']

DEEPEST = 100
"""Levels of lists and dicts in a config; the deepest of MMPretrain's have a dozen."""

_SMALLEST, _LARGEST = -2 ** 63, 2 ** 64 - 1  # what torch and numpy have room for


class NoData(ValueError):
    """A value is no data: what it is, and what to write instead."""

    def __init__(self, what: str, hint: str):
        super().__init__(what, hint)
        self.what, self.hint = what, hint


class Lazy(str):
    """The name of something that is not imported; what is read from it is a name too."""

    def __getattr__(self, name: str) -> 'Lazy':
        if name.startswith('__'):
            raise AttributeError(name)
        return Lazy(f'{self}.{name}')

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConfigError(f'a config may not call `{self}`: nothing of it is imported',
                          hint='write the value out, or the class as a dict: '
                          f"dict(type='{self.rpartition('.')[2]}')")


def plain_leaf(value: object) -> object:
    """A value that is no list and no dict, as what it is a special case of: numpy's 1.5 is 1.5.

    Raises:
        NoData: it is neither None, a number, a text nor a class.

    >>> from pathlib import Path
    >>> plain_leaf(1.5), plain_leaf(Path('data/flowers'))
    (1.5, 'data/flowers')
    >>> plain_leaf({1, 2})
    Traceback (most recent call last):
    ...
    amlnn.config.plain_values.NoData: ('a set', 'a list in its place: [...]')
    """
    kind: Any = type(value)  # an object can say that its __class__ is any other
    if value is None or kind in (bool, float, complex, bytes):
        return value
    try:
        if issubclass(kind, str):
            text = str.__str__(cast(str, value))
            return _speakable(value if kind is Lazy else text, text)
        if issubclass(kind, type):
            return value if kind.__repr__ is type.__repr__ else _refuse(kind)
        if issubclass(kind, os.PathLike):
            return plain_leaf(os.fspath(cast(str, value)))
        if issubclass(kind, numbers.Integral):
            return _whole(int(cast(int, value)))
        if issubclass(kind, numbers.Real):
            return float(cast(float, value))
    except NoData:
        raise
    except Exception:  # whatever a class of somebody's does where it is asked for its number
        _refuse(kind)
    return _refuse(kind)


def plain_name(key: object) -> str:
    """The key of a dict.

    Raises:
        NoData: it is no text.

    >>> plain_name('depth')
    'depth'
    """
    if issubclass(type(key), str):
        text = str.__str__(cast(str, key))
        return str(_speakable(text, text))
    raise NoData(f'a dict with the key {_shown(key)}', 'keys are names: put it into quotes')


# What no file and no name has; the other half of a pair stands for bytes of file names.
_UNSPEAKABLE = re.compile('[\0\ud800-\udc7f\udd00-\udfff]')


def _speakable(value: object, text: str) -> object:
    found = _UNSPEAKABLE.search(text)
    if found:
        raise NoData(f'a text with {found[0]!r} in it', 'take it out: no file and no name has it')
    return value


def _whole(value: int) -> int:
    if not _SMALLEST <= value <= _LARGEST:
        raise NoData('a number of more than 64 bits', 'a smaller one; 1e30 has a point')
    return value


def _refuse(kind: type) -> NoReturn:
    name = str(type.__getattribute__(kind, '__qualname__'))
    hint = 'numbers, texts, True, False, None, lists, tuples and dicts of these'
    if name in ('set', 'frozenset', 'range', 'generator', 'deque', 'ndarray', 'bytearray'):
        hint = 'a list in its place: [...]'
    elif 'function' in name or name in ('method', 'partial', 'type'):
        hint = "what is to be called is named: 'module.function'"
    raise NoData(f'a{"n" if name[:1].lower() in "aeiou" else ""} {name}', hint)


def _shown(key: object) -> str:
    if type(key) is int:
        return str(key) if abs(key) < 10 ** 20 else 'of a huge number'
    return repr(key) if key is None or type(key) in (bool, float) \
        else f'of type {type(key).__name__}'
