"""What --cfg-options says, as a config."""

import ast
from collections.abc import Mapping, Sequence

from mmengine.config import DictAction

from amlnn.config.located import OPTIONS, Located, located
from amlnn.config.resolved import evaluate
from amlnn.errors import ConfigError
from amlnn.foreign_texts import parse_python

__all__ = ['option', 'parse_options', 'plain']


def option(key: str, value: object) -> str:
    """An override as --cfg-options takes it.

    >>> option('model.frozen_stages', 'all'), option('model.trainable', ('a', 'b'))
    ("model.frozen_stages='all'", "model.trainable=['a', 'b']")
    """
    return f'{key}={plain(value)!r}'


def plain(value: object) -> object:
    """A part of a config as dicts and lists.

    >>> plain(Located(a=(1, Located(b='x'))))
    {'a': [1, {'b': 'x'}]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def parse_options(options: Sequence[str]) -> Located:
    """The nested config that overrides given as 'a.b.c=value' make.

    A value is what a config file would have, `dict(...)` included; what is none of that is a string
    (`a.b=bf16`), or a list of strings (`a.b=x,y`), as MMEngine reads it.

    Raises:
        ConfigError: an option has no key or no value, contradicts another, or is half a bracket.

    >>> parse_options(['model.depth=50', 'model.out=[1, 2]', 'execution.precision=bf16'])
    {'model': {'depth': 50, 'out': [1, 2]}, 'execution': {'precision': 'bf16'}}
    """
    result = Located()
    for given in options:
        key, equals, text = given.partition('=')
        parts = key.strip().split('.')
        located(key, OPTIONS)
        if not equals or not all(parts):
            raise ConfigError(f'--cfg-options: `{given}` is not of the form key=value',
                              hint='--cfg-options optim_wrapper.optimizer.lr=0.01')
        target = result
        for part in parts[:-1]:
            if not isinstance(target.get(part), dict):
                if part in target:
                    raise ConfigError(f'--cfg-options: `{key}` goes into `{part}`, which another '
                                      'option sets to a value', hint='give one of the two')
                target.put(part, Located(), OPTIONS)
            target = target[part]
        target.put(parts[-1], located(_parse_value(text, given), OPTIONS, key), OPTIONS)
    return result


def _parse_value(text: str, option: str) -> object:
    if len(text) > 1 and text[0] == text[-1] and text[0] in '\'"':
        try:  # quotes keep '5' a string, and its spaces
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            value = None
        if isinstance(value, str):
            return value
    if 'dict(' in text or '{' in text:  # MMEngine would make a string of it
        try:
            return evaluate(parse_python(text.strip(), mode='eval').body)
        except (ValueError, SyntaxError):
            raise ConfigError(f'--cfg-options: `{option}` has a dict that cannot be read',
                              hint='write it as in a config, quoted for the shell: '
                              '"a.b=[dict(type=\'PackInputs\')]"') from None
    try:
        if text.count('(') != text.count(')') or text.count('[') != text.count(']'):
            raise AssertionError
        return DictAction._parse_iterable(text)
    except RecursionError:
        raise ConfigError(f'--cfg-options: `{option}` has something before or behind its brackets',
                          hint='a list is written a.b=[1,2], a text with brackets and commas '
                          '"a.b=\'f(1,2)\'"') from None
    except (AssertionError, IndexError):
        raise ConfigError(f'--cfg-options: the brackets of `{option}` do not match',
                          hint='quote the option for the shell: \'a.b=[1,2]\'') from None
