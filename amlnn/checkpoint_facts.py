"""What a checkpoint says of itself and of its data, held against what it may say; no torch.

A file that somebody edited, or that another tool wrote, may hold anything under the names that are
read. Whoever opens one asks here first, and then takes what it says at its word.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ['interval_fault', 'meta_fault', 'series_fault']


class _Kind(NamedTuple):
    """Of a value: whether one is of it, and how it is called."""

    holds: Callable[[Any], bool]
    name: str


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any, least: int) -> bool:
    # Sizes beyond it are no machine's, and no library's either.
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2 ** 31


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


_TEXT = _Kind(lambda value: isinstance(value, str), 'a text')
_COUNT = _Kind(lambda value: _whole(value, 0), 'a whole number from 0 on')
_SIZE = _Kind(lambda value: _whole(value, 1), 'a whole number from 1 on')
_DICT = _Kind(lambda value: isinstance(value, dict), 'a dict')
_TEXTS = _Kind(_texts, 'a list of texts')
_NAMES = _Kind(lambda value: _texts(value) and len({*value}) == len(value),
               'a list of different texts')
_POSITIVE = _Kind(lambda value: _number(value) and value > 0, 'a number above 0')
_DICTS = _Kind(lambda value: isinstance(value, list) and all(isinstance(each, dict)
                                                             for each in value), 'a list of dicts')


def _or_none(kind: _Kind) -> _Kind:
    return _Kind(lambda value: value is None or kind.holds(value), f'{kind.name} or None')


_META = {'epoch': _or_none(_COUNT), 'data_manifest_hash': _or_none(_TEXT), 'cfg': _or_none(_TEXT),
         'run': _or_none(_DICT), 'run.data_changed': _or_none(_TEXT),
         'dataset_meta': _or_none(_DICT), 'dataset_meta.classes': _or_none(_TEXTS)}

_SERIES_NEEDS = {'columns': _NAMES, 'extra_columns': _NAMES, 'look_back': _SIZE, 'horizon': _SIZE,
                 'scaler': _DICT}
_SERIES = {**_SERIES_NEEDS, 'known_columns': _NAMES, 'ids': _NAMES, 'id_columns': _TEXTS,
           'season': _or_none(_SIZE), 'cycle': _or_none(_SIZE), 'step': _or_none(_TEXT),
           'step_seconds': _or_none(_POSITIVE), 'known': _or_none(_DICT),
           'known.columns': _NAMES, 'known.scaler': _or_none(_DICT), 'known.calendar': _TEXTS,
           'known.holidays': _or_none(_TEXT), 'known.static': _DICT, 'members': _DICTS,
           'trained_until': _or_none(_DICT), 'scaler.ids': _NAMES}
_MISSING = object()


def meta_fault(content: Mapping[str, Any]) -> str:
    """What is wrong with what a checkpoint says of itself, in words; '' for nothing.

    Args:
        content: Of the file.

    >>> meta_fault({'meta': {'epoch': 3, 'dataset_meta': {'classes': ['cat', 'dog']}}})
    ''
    >>> meta_fault({'meta': {'epoch': 'three'}})
    '`meta.epoch` is a str, not a whole number from 0 on or None'
    """
    meta = content.get('meta')
    if meta is not None and not isinstance(meta, Mapping):
        return _wrong('meta', meta, 'a dict')
    return _fault(meta or {}, _META, 'meta.')


def series_fault(info: Mapping[str, Any]) -> str:
    """What is wrong with what a forecaster's checkpoint says of its data, in words; '' for nothing.

    Args:
        info: `meta.dataset_meta`; see `SeriesWindows.metainfo`.

    >>> info = {'columns': ['load'], 'extra_columns': [], 'look_back': 24, 'horizon': 6,
    ...         'scaler': {'mean': [3.0], 'deviation': [2.0]}}
    >>> series_fault(info)
    ''
    >>> series_fault(info | {'scaler': {'mean': [3.0], 'deviation': [0.0]}})
    '`scaler.deviation` does not hold 1 numbers above 0'
    >>> series_fault(info | {'columns': []})
    '`columns` names none'
    """
    for name in _SERIES_NEEDS:
        if name not in info:
            return f'`{name}` is not there'
    if fault := _fault(info, _SERIES, ''):
        return fault
    if not info['columns']:
        return '`columns` names none'
    ids, scaler = info.get('ids'), info['scaler']
    count = len(info['columns']) + len(info['extra_columns'])
    if ids is not None and (not ids or list(scaler.get('ids', ())) != list(ids)):
        return '`scaler.ids` are not `ids`'
    known = info.get('known') or {}
    return _scale_fault(scaler, 'scaler', count, None if ids is None else len(ids)) \
        or _known_fault(known) or _end_fault(info.get('trained_until') or {}, len(ids or [None]))


def interval_fault(intervals: Any, horizon: int, columns: int, series: int | None) -> str:
    """What is wrong with a checkpoint's intervals, in words; '' for nothing.

    Args:
        intervals: [{'level', 'ends', 'margin' [P, C], 'by_series' [S, P, C] of a panel}, ...].
        horizon: P.
        columns: C.
        series: S, or None of a single one.

    >>> interval_fault([{'level': 0.8, 'ends': None, 'margin': None}], 6, 1, None)
    '`intervals[0].margin` has no shape [6, 1]'
    >>> interval_fault([{'level': 80, 'ends': None}], 6, 1, None)
    '`intervals[0].level` is no share between 0 and 1'
    """
    if not _DICTS.holds(intervals):
        return _wrong('intervals', intervals, _DICTS.name)
    for place, each in enumerate(intervals):
        at = f'intervals[{place}]'
        if 'ends' not in each:
            return f'`{at}.ends` is not there'
        level, ends = each.get('level'), each['ends']
        if not _number(level) or not 0 < level < 1:
            return f'`{at}.level` is no share between 0 and 1'
        if ends is not None and not (isinstance(ends, list | tuple) and len(ends) == 2
                                     and all(_whole(end, 0) for end in ends)):
            return f'`{at}.ends` are no two places'
        shapes = {'margin': [horizon, columns]} | (
            {} if series is None else {'by_series': [series, horizon, columns]})
        for name, shape in shapes.items():
            if list(getattr(each.get(name), 'shape', ())) != shape:
                return f'`{at}.{name}` has no shape {shape}'
    return ''


def _fault(values: Mapping[str, Any], kinds: Mapping[str, _Kind], before: str) -> str:
    """The first value that is not of its kind; one that is not there is none."""
    for path, kind in kinds.items():
        *outer, name = path.split('.')
        inner: Any = values
        for key in outer:
            inner = inner.get(key) or {}
        value = inner.get(name, _MISSING)
        if value is not _MISSING and not kind.holds(value):
            return _wrong(before + path, value, kind.name)
    return ''


def _wrong(path: str, value: Any, wanted: str) -> str:
    kind = 'None' if value is None else f'a {type(value).__name__}'
    return f'`{path}` is {kind}, not {wanted}'


def _scale_fault(scaler: Mapping[str, Any], at: str, count: int, series: int | None) -> str:
    for name in ('mean', 'deviation'):
        rows = scaler.get(name) if series is not None else [scaler.get(name)]
        wanted = 'numbers above 0' if name == 'deviation' else 'numbers'
        if not isinstance(rows, Sequence) or len(rows) != (1 if series is None else series) \
                or not all(_numbers(row, count, name == 'deviation') for row in rows):
            many = '' if series is None else f'{series} times '
            return f'`{at}.{name}` does not hold {many}{count} {wanted}'
    return ''


def _numbers(row: Any, count: int, positive: bool) -> bool:
    return isinstance(row, list | tuple) and len(row) == count and all(
        _number(each) and (each > 0 or not positive) for each in row)


def _known_fault(known: Mapping[str, Any]) -> str:
    names = ['columns', 'scaler', 'calendar', 'holidays', 'static']
    if known and sorted(known) != sorted(names):
        return f'`known` does not hold {", ".join(names)}'
    if known.get('columns') and (fault := _scale_fault(known['scaler'] or {}, 'known.scaler',
                                                       len(known['columns']), None)):
        return fault
    for name, state in known.get('static', {}).items():
        numbers = isinstance(state, dict) and _number(state.get('mean')) \
            and _number(state.get('deviation'))
        if not isinstance(name, str) or not (numbers or (
                isinstance(state, dict) and _texts(state.get('words')))):
            return f'`known.static` says of `{str(name)[:30]}` neither a scale nor words'
    return ''


def _end_fault(ends: Mapping[str, Any], series: int) -> str:
    for name, value in ends.items():
        if name not in ('rows', 'times') or not isinstance(value, list) or len(value) != series \
                or not all(isinstance(each, int) and abs(each) < 2 ** 40 for each in value):
            return f'`trained_until` does not hold {series} rows or times'
    return ''
