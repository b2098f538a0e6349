"""Dicts that remember which line of which file wrote each of their keys, and how they merge."""

import copy
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from amlnn.config.plain_values import DEEPEST, NoData, plain_leaf, plain_name
from amlnn.errors import ConfigError

if TYPE_CHECKING:  # MMEngine has no types
    class ConfigDict(dict[str, Any]):
        """Of MMEngine's, what is used here."""

        @classmethod
        def _hook(cls, item: Any) -> Any: ...
else:
    from mmengine.config import ConfigDict

__all__ = ['OPTIONS', 'Located', 'Place', 'Written', 'executing', 'located', 'merge', 'plain']

_DELETE = '_delete_'


class Place(NamedTuple):
    """Where a key was written.

    >>> str(Place('configs/small.py', 7))
    'configs/small.py:7'
    """

    file: str
    line: int | None = None
    shipped: bool = False
    """Written in a file that MMPretrain ships, where an unknown key is no error."""

    def __str__(self) -> str:
        return self.file if self.line is None else f'{self.file}:{self.line}'


OPTIONS = Place('--cfg-options')


class Located(ConfigDict):
    """A ConfigDict with the place of each key.

    `places` maps keys to places. `stale` holds the keys that were inherited across a changed
    `type` and that no later file set again.

    >>> config = Located()
    >>> config.put('depth', 18, Place('small.py', 3))
    >>> config['depth'], str(config.place('depth'))
    (18, 'small.py:3')
    """

    places: dict[str, Place]
    stale: set[str]

    def __init__(self, *args: Any, **kwargs: Any):
        object.__setattr__(self, 'places', {})
        object.__setattr__(self, 'stale', set())
        super().__init__(*args, **kwargs)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        place = _executing()
        if place is not None:
            self.places[key] = place
            self.stale.discard(key)

    @classmethod
    def _hook(cls, item: Any) -> Any:
        # Like a plain dict in MMEngine: what a file puts into a base is copied, not shared.
        if isinstance(item, Written):
            return located(item, Place(''))
        if type(item) in (list, tuple):
            return type(item)(cls._hook(element) for element in item)
        return super()._hook(item)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'Located':
        other = self.__copy__()
        memo[id(self)] = other
        for key, value in dict.items(self):
            dict.__setitem__(other, key, copy.deepcopy(value, memo))
        return other

    def __copy__(self) -> 'Located':
        other = type(self)()
        for key, value in dict.items(self):
            dict.__setitem__(other, key, value)
        other.places.update(self.places)
        other.stale.update(self.stale)
        return other

    copy = __copy__

    def put(self, key: str, value: Any, place: Place) -> None:
        """Set a key together with its place, as is: nothing is converted or copied."""
        dict.__setitem__(self, key, value)
        self.places[key] = place

    def place(self, key: str) -> Place:
        """Where `key` was written; an empty place for one that no file wrote."""
        return self.places.get(key) or Place('')


class Written(dict[str, Any]):
    """A plain dict that a file being executed wrote, with the places of its keys."""

    def __init__(self, places: dict[str, Place], /, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.places = places

    def __reduce__(self) -> tuple[type['Written'], tuple[dict[str, Place], dict[str, Any]]]:
        return Written, (dict(self.places), dict(self))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        place = _executing()
        if place is not None:
            self.places[key] = place

    def update(self, /, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value


# The files being executed now, innermost last: `base['model']['depth'] = 18` in one of them is
# traced to its line through the frames.
executing: list[tuple[str, Place]] = []


def _executing() -> Place | None:
    if not executing:
        return None
    filename, place = executing[-1]
    frame: FrameType | None = sys._getframe(2)
    for _ in range(6):
        if frame is None:
            return None
        if frame.f_code.co_filename == filename:
            return place._replace(line=frame.f_lineno)
        frame = frame.f_back
    return None


def located(value: Any, place: Place, at: str = '') -> Any:
    """Copy a value that a file or an option brings in, with every dict in it as a Located.

    Args:
        value: What stands there.
        place: Of keys whose place is not known.
        at: Its dotted key.

    Raises:
        ConfigError: it is no data (`amlnn.config.plain_values`), or has no end.

    >>> config = located(dict(model=dict(depth=18)), Place('small.py', 3))
    >>> str(config['model'].place('depth'))
    'small.py:3'
    >>> located(dict(depth={18}), Place('small.py', 3), 'model')
    Traceback (most recent call last):
        ...
    amlnn.errors.ConfigError: small.py:3: `model.depth` is a set, which is no data
    """
    return _located(value, place, (at,) if at else ())


def _located(value: Any, place: Place, path: tuple[str, ...]) -> Any:
    try:
        if len(path) > DEEPEST:
            raise NoData(f'nested more than {DEEPEST} times', 'a list or dict that holds itself?')
        if issubclass(type(value), dict):
            return _located_dict(value, place, path)
        if issubclass(type(value), list | tuple):
            kind: Any = list if issubclass(type(value), list) else tuple
            return kind(_located(item, place, (*path, str(index)))
                        for index, item in enumerate(kind.__iter__(value)))
        return plain_leaf(value)
    except NoData as error:
        where = f'{place}: ' if str(place) else ''
        shown = '.'.join(path[:8]) + ('...' if len(path) > 8 else '')
        raise ConfigError(f'{where}{f"`{shown}`" if path else "it"} is {error.what}, which is no '
                          'data', hint=error.hint) from None


def _located_dict(value: dict[Any, Any], place: Place, path: tuple[str, ...]) -> Located:
    places = value.places if isinstance(value, Located | Written) else {}
    if not all(type(key) is str for key in places):  # a text of another class compares as it likes
        places = {}
    result = Located()
    for key, item in dict.items(value):
        name = plain_name(key)
        here = places.get(name, place)
        result.put(name, _located(item, here, (*path, name)), here)
    if isinstance(value, Located):
        result.stale.update(value.stale)
    return result


def plain(value: Any) -> Any:
    """Copy `value` with every dict in it as a plain ConfigDict.

    >>> plain(located(dict(model=dict(depth=18)), OPTIONS)).model.depth  # as MMEngine's go
    18
    """
    if isinstance(value, dict):
        result = ConfigDict()
        for key, item in dict.items(value):
            dict.__setitem__(result, key, plain(item))
        return result
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return value


def merge(child: Located, base: Located, into_lists: bool = False, at: str = '') -> Located:
    """Lay `child` over `base` as MMEngine does, keeping the places. Neither is changed.

    Args:
        child: What is set now.
        base: What was inherited.
        into_lists: Whether the key '0' of the child stands for the first element of a list.
        at: The dotted key of both, for errors.

    Raises:
        ConfigError: a dict was to be laid over something that is no dict.

    >>> base = located(dict(model=dict(depth=18, width=1)), Place('base.py', 1))
    >>> child = located(dict(model=dict(depth=50)), Place('child.py', 2))
    >>> both = merge(child, base)['model']
    >>> {key: (both[key], str(both.place(key))) for key in both}
    {'depth': (50, 'child.py:2'), 'width': (1, 'base.py:1')}
    """
    result = base.copy()
    # A `type` that changed, from a default one too, makes every inherited argument suspect.
    if 'type' in child and child['type'] != base.get('type'):
        result.stale.update(key for key in base if key not in ('type', '_scope_'))
    for key, value in dict.items(child):
        if key == _DELETE:
            continue
        place, dotted = child.place(key), f'{at}.{key}' if at else key
        result.stale.discard(key)
        if not isinstance(value, Located):
            result.put(key, value, place)
        elif key not in base or value.get(_DELETE, False):
            result.put(key, _without_delete(value), place)
        else:
            result.put(key, _merged(value, base[key], into_lists, dotted, place, base.place(key)),
                       place)
    return result


def _merged(value: Located, under: object, into_lists: bool, dotted: str, place: Place,
            base_place: Place) -> object:
    if isinstance(under, Located):
        return merge(value, under, into_lists, dotted)
    if into_lists and isinstance(under, list):
        return _merge_into_list(value, under, dotted)
    raise ConfigError(
        f'{place}: `{dotted}` is a dict, in {base_place} it is `{under!r}`',
        hint='add `_delete_=True` to the dict to replace what was inherited')


def _merge_into_list(value: Located, under: list[Any], dotted: str) -> list[Any]:
    result = list(under)
    for index, item in dict.items(value):
        if not index.isdigit() or int(index) >= len(result):
            raise ConfigError(
                f'{value.place(index)}: `{dotted}.{index}` is not an element of the list '
                f'`{dotted}`', hint=f'`{dotted}` has the elements 0 to {len(result) - 1}')
        here = int(index)
        result[here] = item if not isinstance(item, Located) else _merged(
            item, result[here], True, f'{dotted}.{index}', value.place(index), value.place(index))
    return result


def _without_delete(value: Located) -> Located:
    result = value.copy()
    result.pop(_DELETE, None)
    result.places.pop(_DELETE, None)
    for key, item in dict.items(result):
        if isinstance(item, Located):
            dict.__setitem__(result, key, _without_delete(item))
    return result
