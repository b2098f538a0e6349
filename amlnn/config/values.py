"""Whether a plain value can be what an argument's annotation or default says."""

import ast
from collections.abc import Callable
from math import isfinite

from amlnn.config.signatures import Parameter

__all__ = ['briefly', 'default_of', 'expected_instead', 'shape_instead', 'value_hint']

_NUMBERS = {'int', 'float', 'Number', 'Tensor', 'torch.Tensor'}
_PLAIN = {*_NUMBERS, 'bool', 'str', 'None'}


def expected_instead(parameter: Parameter, value: object, trusted: bool = True) -> str:
    """What `parameter` takes if `value` certainly is not that, else ''.

    Only plain values are judged, and only where the annotation, or without one the default,
    leaves no doubt.

    Args:
        parameter: The argument.
        value: What the config gives it.
        trusted: Whether annotations of its package are known to be exact. Where they are not, only
            a string in the place of a number, or of True and False, is judged.

    >>> expected_instead(Parameter('lr', 'Union[float, Tensor]', '1e-3'), '0.01')
    'a number'
    >>> expected_instead(Parameter('max_epochs', 'int'), 2.5)
    'an integer'
    >>> expected_instead(Parameter('scale', 'Union[int, tuple]'), '5')
    ''
    """
    kinds = _annotated(parameter.annotation) if parameter.annotation \
        else _of_default(parameter.default)
    kinds = (kinds or set()) - {'None'}
    if not kinds or value is None or 'str' in kinds:
        return ''
    if isinstance(value, str):
        # MMPretrain has `bias: bool` take 'qv_bias' too.
        judged = trusted or kinds & _NUMBERS or value.lower() in ('true', 'false')
        return _shown(kinds) if judged else ''
    if not trusted or isinstance(value, bool):
        return ''
    if isinstance(value, float):
        fits = kinds & (_NUMBERS - {'int'}) or ('int' in kinds and value.is_integer())
    elif isinstance(value, int):
        fits = kinds & _NUMBERS or value in (0, 1)  # which pass for False and True
    else:
        fits = not isinstance(value, dict | list | tuple)
    return '' if fits else _shown(kinds)


def shape_instead(parameter: Parameter, value: object) -> str:
    """What a text, a list or a dict is in the place of, if the annotation has none of its kind.

    Args:
        parameter: An argument whose annotation is exact.
        value: What the config gives it.

    >>> shape_instead(Parameter('path', 'str'), {'a': 1})
    'a string'
    >>> shape_instead(Parameter('columns', 'Sequence[str] | None'), [1])
    'a list of strings'
    >>> shape_instead(Parameter('columns', 'Sequence[str] | None'), ('a', 'b'))
    ''
    """
    try:
        node = ast.parse((parameter.annotation or '').strip('\'"'), mode='eval').body
    except SyntaxError:
        return ''
    shapes = [_SHAPES.get(text) for text in _alternatives(node)]
    if value is None or not all(shapes) or any(fits(value) for _, fits in filter(None, shapes)):
        return ''
    return ' or '.join(dict.fromkeys(said for said, _ in filter(None, shapes) if said))


def _alternatives(node: ast.expr) -> list[str]:
    """What a union is made of, in words of the present."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _alternatives(node.left) + _alternatives(node.right)
    text = ast.unparse(node)
    if isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value).rpartition('.')[2]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer in ('Optional', 'Union'):
            return [part for each in inner for part in _alternatives(each)] \
                + ['None'] * (outer == 'Optional')
        if outer in ('Sequence', 'List', 'list'):
            return [f'Sequence[{ast.unparse(inner[0])}]']
        return ['dict'] if outer in ('Dict', 'dict', 'Mapping') else [text]
    return [text]


def _list_of(kinds: type | tuple[type, ...]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple) and all(
        isinstance(each, kinds) for each in value)


_SHAPES: dict[str, tuple[str, Callable[[object], bool]]] = {
    'None': ('', lambda value: value is None),
    'str': ('a string', lambda value: isinstance(value, str)),
    'bool': ('True or False', lambda value: isinstance(value, bool | int)),
    'int': ('an integer', lambda value: isinstance(value, int | float)),  # others judge numbers
    'float': ('a number', lambda value: isinstance(value, int | float)),
    'dict': ('a dict', lambda value: isinstance(value, dict)),
    'list': ('a list', lambda value: isinstance(value, list | tuple)),
    'Sequence[str]': ('a list of strings', _list_of(str)),
    'Sequence[int]': ('a list of integers', _list_of(int)),
    'Sequence[float]': ('a list of numbers', _list_of((int, float))),
    'Sequence[dict]': ('a list of dicts', _list_of(dict)),
}


def default_of(parameter: Parameter | None) -> object:
    """The value of a default that is written out; None where there is no such default.

    >>> default_of(Parameter('topk', 'Sequence[int]', '(1, 5)')), default_of(Parameter('lr'))
    ((1, 5), None)
    """
    try:
        return ast.literal_eval(parameter.default) if parameter and parameter.default else None
    except (SyntaxError, ValueError):
        return None


def _shown(kinds: set[str]) -> str:
    if kinds & _NUMBERS:
        return 'an integer' if kinds == {'int'} else 'a number'
    return ' or '.join({'bool': 'True or False', 'str': 'a string'}[kind] for kind in sorted(kinds))


def _annotated(annotation: str | None) -> set[str] | None:
    """The plain types an annotation names, None if it names anything else."""
    if annotation is None:
        return None
    try:
        node = ast.parse(annotation.strip('\'"'), mode='eval').body
    except SyntaxError:
        return None
    return _names(node)


def _names(node: ast.AST) -> set[str] | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value).rpartition('.')[2]
        if outer not in ('Optional', 'Union'):
            return None
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    else:
        text = 'None' if isinstance(node, ast.Constant) and node.value is None \
            else ast.unparse(node)
        return {text} if text in _PLAIN else None
    found: set[str] = set()
    for part in parts:
        names = _names(part)
        if names is None:
            return None
        found |= names
    return found


def _of_default(default: str | None) -> set[str] | None:
    """A number as default says that a number is wanted; other defaults say too little."""
    value = default_of(Parameter('', default=default))
    return {'float'} if isinstance(value, float) else None


def value_hint(key: str, value: object, expected: str) -> str:
    """What to do about a value that is not what is expected.

    >>> value_hint('lr', '0.01', 'a number'), value_hint('max_epochs', 2.5, 'an integer')
    ('without quotes: lr=0.01', 'max_epochs=2, say')
    """
    if isinstance(value, str):
        if 'True' in expected and value in ('True', 'False', 'true', 'false'):
            return f'without quotes: {key}={value.capitalize()}'
        try:
            float(value)
        except ValueError:
            return f'give {expected}'
        return f'without quotes: {key}={value}'
    if isinstance(value, float) and isfinite(value) and expected == 'an integer':
        return f'{key}={int(value)}, say'
    return f'give {expected}'


def briefly(value: object) -> str:
    """A value as it is written, cut where it is long.

    >>> briefly([0.5, 'a']), len(briefly('a' * 100))
    ("[0.5, 'a']", 63)
    """
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:60]}...'
