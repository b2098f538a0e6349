"""Whether a plain value can be what an argument's annotation or default says."""

import ast

from amlnn.config.signatures import Parameter

__all__ = ['default_of', 'expected_instead']

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
