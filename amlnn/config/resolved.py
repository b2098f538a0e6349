"""A resolved config as text, read back, and its hash.

`config.py` in a run folder is such a text: assignments of literals and `dict(...)`, which Python,
the config loader and `read_resolved` understand alike. Nothing here imports MMEngine.
"""

import ast
import hashlib
import json
from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

from amlnn.foreign_texts import parse_python

__all__ = ['FOLDED', 'NotData', 'assignments', 'config_hash', 'evaluate', 'fold_back',
           'named', 'read_resolved', 'resolved_text']

FOLDED = 'amlnn'
"""The key of a run's config.py under which stands what amlnn reads in place of the other keys."""


def resolved_text(config: Mapping[str, Any]) -> str:
    """Write a resolved config as Python that `load_config` reads back as an equal config.

    >>> print(resolved_text({'seed': 1, 'model': {'type': 'A', 'layers': [{'n': 2}]}}), end='')
    seed = 1
    model = dict(type='A', layers=[dict(n=2)])
    """
    return ''.join(f'{key} = {_format(value, len(key) + 3, 0)}\n' for key, value in config.items())


def read_resolved(text: str) -> dict[str, Any]:
    """The config that `resolved_text` wrote, or that stands in a run's config.py.

    Raises:
        ValueError: the text is no such config.

    >>> read_resolved("seed = 1\\nmodel = dict(type='A', layers=[dict(n=-2)])")
    {'seed': 1, 'model': {'type': 'A', 'layers': [{'n': -2}]}}
    """
    return fold_back({name: value for name, value, _ in assignments(text)})


def assignments(text: str) -> list[tuple[str, object, int]]:
    """What a text of assignments of literals sets: name, value and line. Nothing is executed.

    Raises:
        NotData: something else stands in it, or it is no Python.

    >>> assignments('a = 1\\nb = dict(c=[2])')
    [('a', 1, 1), ('b', {'c': [2]}, 2)]
    >>> assignments('a = 1\\nimport os')
    Traceback (most recent call last):
    ...
    amlnn.config.resolved.NotData: import os
    """
    line: int | None = None
    try:
        rows = []
        for node in parse_python(text).body:
            line = node.lineno
            if not (isinstance(node, ast.Assign) and len(node.targets) == 1
                    and isinstance(node.targets[0], ast.Name)
                    and not node.targets[0].id.startswith('_')):  # `_base_` names other files
                raise NotData(_shown(node), line)
            rows.append((node.targets[0].id, evaluate(node.value), line))
        return rows
    except NotData:
        raise
    except SyntaxError as error:
        raise NotData(error.msg, error.lineno) from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NotData(' '.join(str(error).split())[:80] or type(error).__name__, line) from None


class NotData(ValueError):
    """A text holds something else than assignments of literals.

    Attributes:
        line: Where, if known.
    """

    def __init__(self, what: str, line: int | None):
        super().__init__(what)
        self.line = line


def _shown(node: ast.AST) -> str:
    return ast.unparse(node).partition('\n')[0][:80]


def fold_back(config: dict[str, Any]) -> dict[str, Any]:
    """A config of a run as amlnn reads it: what its key `amlnn` says, in its place.

    Raises:
        ValueError: that key is not what amlnn wrote.

    >>> fold_back({'model': {'type': 'A', 'classes': 3},
    ...            'amlnn': {'keys': {'model.frozen_stages': 1}, 'without': ['model.classes']}})
    {'model': {'type': 'A', 'frozen_stages': 1}}
    """
    if FOLDED not in config:
        return config
    result = {key: value for key, value in config.items() if key != FOLDED}
    said = config[FOLDED]
    if not isinstance(said, dict) or set(said) != {'keys', 'without'}:
        raise ValueError('it has to have the keys `keys` and `without`')
    for dotted in [*said['without'], *said['keys']]:
        *sections, last = dotted.split('.')
        inner = result
        for name in sections:
            inner[name] = inner[name].copy()  # what was read stays as it is
            inner = inner[name]
        dict.pop(inner, last, None)
        if dotted in said['keys']:
            dict.__setitem__(inner, last, said['keys'][dotted])
    return result


def evaluate(node: ast.AST) -> object:
    """The value of an expression of literals and `dict(...)`.

    Raises:
        ValueError: it is anything else.

    >>> evaluate(ast.parse("dict(a=[1, (2, )], b=float('inf'))", mode='eval').body)
    {'a': [1, (2,)], 'b': inf}
    """
    try:
        return _evaluate(node)
    except (TypeError, SyntaxError, RecursionError, MemoryError) as error:  # a list as a key, say
        raise ValueError(str(error)) from None


def _evaluate(node: ast.AST) -> object:
    if isinstance(node, ast.Call):
        return _call(node)
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
        if len(keys) < len(node.keys):  # `{**others}`
            raise ValueError(ast.unparse(node))
        return {ast.literal_eval(key): _evaluate(value)
                for key, value in zip(keys, node.values, strict=True)}
    if isinstance(node, ast.List):
        return [_evaluate(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_evaluate(item) for item in node.elts)
    return ast.literal_eval(node)


def config_hash(config: Mapping[str, Any]) -> str:
    """Hash the content of a config: not its order of keys, its formatting, or its `work_dir`.

    >>> config_hash({'a': 1, 'b': (2, )}) == config_hash({'b': [2], 'a': 1, 'work_dir': 'x'})
    True
    """
    content = {key: value for key, value in config.items() if key != 'work_dir'}
    text = json.dumps(content, sort_keys=True, default=named, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


def named(value: object) -> str:
    """A value that is no literal: a class goes by its name, which the registry finds it by.

    >>> named(dict), named(1 + 2j)
    ('builtins.dict', '(1+2j)')
    """
    if isinstance(value, type):
        return f'{value.__module__}.{value.__qualname__}'
    return str(value)


def _call(node: ast.Call) -> object:
    name = node.func.id if isinstance(node.func, ast.Name) else ''
    if name == 'dict' and not node.args and all(each.arg is not None for each in node.keywords):
        return {keyword.arg: _evaluate(keyword.value) for keyword in node.keywords}
    if name == 'float' and len(node.args) == 1 and not node.keywords:  # 'inf', '-inf', 'nan'
        return float(ast.literal_eval(node.args[0]))
    raise ValueError(ast.unparse(node))


def _format(value: object, column: int, indent: int) -> str:
    """Python source of `value`, on one line if it fits behind `column`."""
    if isinstance(value, dict):
        if all(isinstance(key, str) and _is_keyword_name(key) for key in value):
            parts = [(f'{key}=', item) for key, item in value.items()]
            left, right = 'dict(', ')'
        else:
            parts = [(f'{key!r}: ', item) for key, item in value.items()]
            left, right = '{', '}'
    elif isinstance(value, list | tuple):
        parts = [('', item) for item in value]
        left, right = ('[', ']') if isinstance(value, list) else ('(', ')')
    else:
        return _format_leaf(value)
    comma = ', ' if isinstance(value, tuple) and len(value) == 1 else ''
    flat = ', '.join(prefix + _format(item, 0, -1) for prefix, item in parts) + comma
    if indent < 0 or column + len(flat) + len(left + right) <= 100:
        return left + flat + right
    inner = ' ' * (indent + 4)
    lines = [f'{inner}{prefix}{_format(item, len(inner) + len(prefix) + 1, indent + 4)},\n'
             for prefix, item in parts]
    return f'{left}\n{"".join(lines)}{" " * indent}{right}'


def _format_leaf(value: object) -> str:
    if isinstance(value, float) and (value != value or value in (float('inf'), -float('inf'))):
        return f"float('{value}')"
    if value is None or isinstance(value, bool | int | float | str | bytes | complex):
        return repr(value)
    return repr(named(value))


def _is_keyword_name(key: str) -> bool:
    # Python normalises identifiers: `dict(º=1)` has the key 'o'.
    return key.isascii() and key.isidentifier() and not iskeyword(key)
