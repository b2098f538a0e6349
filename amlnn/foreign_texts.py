"""Texts that anybody may have written, read as JSON, as Python or as lines.

Whatever is wrong with one is one kind of error. The parsers raise a RecursionError or a MemoryError
where brackets or signs are nested too deeply, which no caller expects of a text that is merely
wrong.
"""

import ast
import json
from pathlib import Path
from typing import Any

from amlnn.errors import DataError

__all__ = ['parse_json', 'parse_python', 'read_lines']

_DEEPEST = 200
"""Levels of a syntax tree; whoever walks it needs some calls for each, and there are 1000."""


def parse_json(text: str | bytes) -> Any:
    """What a text of JSON says.

    Raises:
        ValueError: it is none, or has a number or a depth that nobody reads.

    >>> parse_json('[1, {"a": null}]')
    [1, {'a': None}]
    >>> parse_json('[' * 100_000)
    Traceback (most recent call last):
    ...
    ValueError: its brackets are nested too deeply
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError('its brackets are nested too deeply') from None


def parse_python(text: str, mode: str = 'exec') -> Any:
    """The syntax tree of a text.

    Args:
        text: The text.
        mode: 'exec' for a module, 'eval' for an expression.

    Raises:
        SyntaxError: it is no Python, or too deeply nested to be walked.
        ValueError: there is a NUL in it.

    >>> ast.unparse(parse_python('a = 1'))
    'a = 1'
    >>> parse_python('-' * 100_000 + '1')
    Traceback (most recent call last):
    ...
    SyntaxError: brackets or signs are nested too deeply
    """
    try:
        tree = ast.parse(text, mode=mode)
    except (RecursionError, MemoryError):
        raise SyntaxError(_TOO_DEEP) from None
    level: list[ast.AST] = [tree]
    depth = 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise SyntaxError(_TOO_DEEP, (None, getattr(level[0], 'lineno', None), None, None))
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return tree


def read_lines(path: Path, hint: str) -> list[str]:
    """The lines of a file in UTF-8.

    Args:
        path: The file.
        hint: What to do where it cannot be read.

    Raises:
        DataError: it cannot be read, or is in another encoding.

    >>> Path('classes.txt').write_bytes(b'caf\\xe9')
    4
    >>> read_lines(Path('classes.txt'), 'save it as UTF-8')  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    amlnn.errors.DataError: `classes.txt` is no text in UTF-8: ...
    """
    try:
        return path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f'`{path}` is no text in UTF-8: {error}',
                        hint=f'save it as UTF-8, or {hint}') from None
    except OSError as error:
        raise DataError(f'`{path}` cannot be read: {error.strerror or error}', hint=hint) from None


_TOO_DEEP = 'brackets or signs are nested too deeply'
