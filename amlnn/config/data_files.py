"""Config files that are plain data: JSON and YAML."""

import ast
import copy
import json
import re
from typing import Any

import yaml

from amlnn.config.located import Place, Written
from amlnn.errors import ConfigError
from amlnn.foreign_texts import parse_json, parse_python

__all__ = ['ENDINGS', 'fill_from_bases', 'read_data']

ENDINGS = ('.json', '.yaml', '.yml')


def read_data(text: str, place: Place, ending: str) -> Written:
    """What a JSON or YAML file says, with the line of each key.

    Raises:
        ConfigError: it cannot be read, or is no mapping of names.

    >>> values = read_data('model:\\n  depth: 18\\n', Place('small.yaml'), '.yaml')
    >>> values['model'], str(values['model'].places['depth'])
    ({'depth': 18}, 'small.yaml:2')
    """
    try:
        value = _json(text, place) if ending == '.json' else _yaml(text, place)
    except RecursionError:
        raise ConfigError(f'{place}: brackets are nested too deeply to be read',
                          hint='is this the file that was meant? It has to be a config') from None
    except json.JSONDecodeError as error:
        raise ConfigError(f'{place}:{error.lineno}: {error.msg}',
                          hint='look at this line and the one before') from None
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        where = place._replace(line=mark.line + 1) if mark else place
        raise ConfigError(f'{where}: {getattr(error, "problem", None) or error}',
                          hint='look at this line and the one before') from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ConfigError(f'{place}: a value that cannot be read: {error}',
                          hint='a date, a number or a tag is not of its form; quotes make it a '
                          'text') from None
    if not isinstance(value, Written):
        raise ConfigError(f'{place}: it holds no keys', hint='a config has keys at the top level, '
                          '`model` for one')
    return value


def fill_from_bases(value: object, base: dict[str, Any], place: Place) -> object:
    """A value in which strings such as '{{_base_.model.head}}' are what the bases have there.

    Raises:
        ConfigError: the bases have no such key.

    >>> fill_from_bases({'head': '{{_base_.model.head}}', 'lr': 0.1}, {'model': {'head': 'Linear'}},
    ...                 Place('small.json'))
    {'head': 'Linear', 'lr': 0.1}
    """
    if isinstance(value, dict):
        for key, item in dict.items(value):
            dict.__setitem__(value, key, fill_from_bases(item, base, place))
        return value
    if isinstance(value, list):
        return [fill_from_bases(item, base, place) for item in value]
    match = isinstance(value, str) and re.fullmatch(r'\{\{\s*_base_\.([\w\.]+)\s*\}\}', value)
    if not match:
        return value
    found: Any = base
    for part in match[1].split('.'):
        if not isinstance(found, dict) or part not in found:
            raise ConfigError(f'{place}: `_base_.{match[1]}` is not there to be read',
                              hint=f'the base files set {", ".join(base) or "nothing"}')
        found = found[part]
    return copy.deepcopy(found)


def _json(text: str, place: Place) -> object:
    value = parse_json(text)
    try:  # JSON reads as Python, but for its names of True, False and None
        node = parse_python(text.strip('\ufeff'), mode='eval').body
    except (SyntaxError, ValueError):
        node = None
    return _with_lines(value, node, place)


def _with_lines(value: object, node: ast.AST | None, place: Place) -> object:
    if isinstance(value, dict):
        written = {key.value: (key.lineno, item)
                   for key, item in zip(node.keys, node.values, strict=True)
                   if isinstance(key, ast.Constant)} if isinstance(node, ast.Dict) else {}
        lines = {key: place._replace(line=written.get(key, (None, None))[0]) for key in value}
        return Written(lines, {key: _with_lines(item, written.get(key, (None, None))[1], place)
                               for key, item in value.items()})
    if isinstance(value, list):
        nodes = node.elts if isinstance(node, ast.List) else [None] * len(value)
        return [_with_lines(item, inner, place)
                for item, inner in zip(value, nodes, strict=True)]
    return value


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Plain values only; 1e-3 is a number, as everywhere but in YAML 1.1."""


_Loader.add_implicit_resolver('tag:yaml.org,2002:float', re.compile(
    r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$'), list('-+.0123456789'))


def _yaml(text: str, place: Place) -> object:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _of_node(node, loader, place)
    finally:
        loader.dispose()


def _of_node(node: yaml.Node, loader: _Loader, place: Place) -> object:
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        lines, found = {}, {}
        for key_node, item in node.value:
            key = loader.construct_object(key_node)
            where = place._replace(line=key_node.start_mark.line + 1)
            if not isinstance(key, str):
                raise ConfigError(f'{where}: the key {key!r} is no name',
                                  hint='put it into quotes')
            lines[key], found[key] = where, _of_node(item, loader, place)
        return Written(lines, found)
    if isinstance(node, yaml.SequenceNode):
        return [_of_node(item, loader, place) for item in node.value]
    return loader.construct_object(node)
