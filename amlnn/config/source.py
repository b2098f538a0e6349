"""One config file: its text, what it writes and on which lines, which names are its own."""

import ast
import copy
import os
import re
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amlnn.config.data_files import ENDINGS, fill_from_bases, read_data
from amlnn.config.files import place_of
from amlnn.config.located import Located, Place, Written, executing, located
from amlnn.config.names import BASE, Names
from amlnn.config.new_style import (
    HEAVY,
    LAZY,
    lazy_imports,
    take_imported_bases,
    without_lazy,
)
from amlnn.config.plain_values import Lazy, NoData, plain_leaf
from amlnn.config.structure import TOP_LEVEL
from amlnn.errors import ConfigError
from amlnn.foreign_texts import parse_python
from amlnn.suggest import did_you_mean, nearest

__all__ = ['RESERVED', 'Source', 'read_source']

# Names of MMEngine's config language; a name that looks like one of them is a slip.
RESERVED = ('_base_', '_delete_', '_scope_', '_deprecation_')
_CALL = '__written_here__'


@dataclass
class Source:
    """One config file, executed.

    `values` holds what it wrote at the top level, with places; names private to it are left out.
    """

    path: Path
    place: Place
    values: Located
    private: set[str]
    """Top-level names that begin with `_`."""
    read: set[str]
    """Top-level names that the file itself reads."""
    used: set[str]
    """Top-level names from which the file makes, straight or over others, a key of a config."""
    written: set[str]
    """Top-level names that the file itself sets."""
    inherited: set[str]
    """Top-level names of its bases that the file reads or changes through `_base_`."""
    whole: bool = False
    """Whether `values` are all there is: it imported its bases, and replaced what it set anew."""
    deprecation: str = ''
    bases: Sequence[tuple[str, int | None]] = field(default_factory=list)


# MMEngine's `{{_base_.name}}`, beside the strings and comments that may hold the same characters.
_FROM_BASE = re.compile(
    r'''(?P<quote>\"""|\''')(?:\\.|(?!(?P=quote)).)*(?P=quote)'''
    r'''|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\#[^\n]*|\{\{\s*_base_\.(?P<name>[\w.]+)\s*\}\}''',
    re.DOTALL)
_NEEDS_ESCAPE = re.compile(r'''['"\\{$\x00-\x1f\ud800-\udfff]''')

Inherit = Callable[[Sequence[tuple[str, int | None]], Place], Located]


def read_source(path: Path, inherit: Inherit) -> Source:
    """Execute one config file.

    Args:
        path: The file.
        inherit: Called with the file's list of (base name, line) and its place; returns a Located
            of all that the bases set. `_base_` in the file is this dict.

    Raises:
        ConfigError: the file cannot be parsed or executed, or a name in it is misspelt.

    >>> path = write('small.py', 'depth = 18')
    >>> source = read_source(path, lambda bases, place: Located())
    >>> source.values['depth'], str(source.values.place('depth'))
    (18, 'small.py:1')
    """
    place = place_of(path)
    text = _substituted(path, place)
    if path.suffix in ENDINGS:
        return _read_data_source(path, place, text, inherit)
    text = _FROM_BASE.sub(lambda found: f'__copy_of__(_base_.{found["name"]})' if found['name']
                          else found[0], text)
    tree = _parse(text, place)
    imported = take_imported_bases(tree, place, path.parent)
    bases = imported.files if imported else _bases(tree, place)
    if place.shipped and not imported:
        tree.body = [node for node in tree.body if not _is_heavy_import(node)]
    by_name = lazy_imports(tree)
    base = inherit(bases, place)
    names = Names(tree)
    names.imported |= by_name
    if not place.shipped:
        _check_private_names(names, place)
    given = imported.values(base, place) if imported else Located()
    values = _execute(tree, path, place, base, names, given)
    _settle_base(base, place)
    deprecation = located(values.get('_deprecation_'), place, '_deprecation_')
    private = {name for name in values if name.startswith('_')}
    top = Located()
    for key, value in values.items():
        if key in private or key in names.imported \
                or issubclass(type(value), type | types.ModuleType | types.FunctionType):
            continue
        here = place._replace(line=names.written.get(key)) if key in names.written \
            or key not in given else given.place(key)
        try:
            top.put(key, without_lazy(located(value, here, key)), here)
        except ConfigError:
            if key in TOP_LEVEL or key not in names.read:
                raise
            private.add(key)  # a tool of the file's own
    return Source(path=path, place=place, values=top, private=private, read=names.read,
                  used=names.used(TOP_LEVEL), written=set(names.written), whole=bool(imported),
                  inherited=names.inherited, deprecation=_deprecation(deprecation), bases=bases)


def _settle_base(base: Located, place: Place) -> None:
    """Make plain data again of bases that the file has changed in place."""
    fresh = located(base, place)
    dict.clear(base)
    for key, value in dict.items(fresh):
        base.put(key, value, fresh.place(key))


def _read_data_source(path: Path, place: Place, text: str, inherit: Inherit) -> Source:
    """A file of plain data: nothing in it can be private to it, or use a name of it."""
    values = read_data(text, place, path.suffix)
    line = values.places.get(BASE, place).line
    names = values.pop(BASE, [])
    bases = [(name, line) for name in _base_names(names, place._replace(line=line))]
    base = inherit(bases, place)
    top = located(fill_from_bases(values, base, place), place)
    return Source(path=path, place=place, values=top, private=set(), read=set(), used=set(),
                  written=set(top), inherited=set(), bases=bases)


def _substituted(path: Path, place: Place) -> str:
    """The text of the file after MMEngine's `{{ }}` substitutions; line numbers stay."""
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'`{place}` cannot be read: {error}',
                          hint='a config is a Python file in UTF-8') from None
    fixed = {'fileDirname': path.parent.as_posix(), 'fileBasename': path.name,
             'fileBasenameNoExtension': path.stem, 'fileExtname': path.suffix}
    for key, value in fixed.items():
        text = re.sub(r'\{\{\s*' + key + r'\s*\}\}', _in_quotes(value).replace('\\', r'\\'), text)

    def from_environment(match: re.Match[str]) -> str:
        value = os.environ.get(match[1], match[2])
        if not value:
            line = text.count('\n', 0, match.start()) + 1
            raise ConfigError(f'{place}:{line}: the environment variable `{match[1]}` is not set',
                              hint=f'export {match[1]}=..., or write a default after the colon')
        return value

    return re.sub(r'\{\{[\'\"]?\s*\$(\w+)\s*\:\s*(\S*?)\s*[\'\"]?\}\}', from_environment, text)


def _in_quotes(text: str) -> str:
    """A file name as it has to be written into a string; few need another form."""
    return _NEEDS_ESCAPE.sub(lambda found: f'\\u{ord(found[0]):04x}', text)


def _parse(text: str, place: Place) -> ast.Module:
    try:
        tree: ast.Module = parse_python(text)
        return tree
    except SyntaxError as error:
        shown = (error.text or '').strip()
        where = place._replace(line=error.lineno)
        raise ConfigError(f'{where}: {error.msg}', hint=f'look at `{shown}` and the line before'
                          if shown else 'look at this line and the one before') from None
    except ValueError as error:  # a null byte
        raise ConfigError(f'{place}: {error}', hint='a config is a Python file in UTF-8') from None


def _bases(tree: ast.Module, place: Place) -> list[tuple[str, int]]:
    for index, node in enumerate(tree.body):
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
                and node.targets[0].id == BASE):
            continue
        try:
            value = ast.literal_eval(node.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            value = None
        names = _base_names(value, place._replace(line=node.lineno))
        del tree.body[index]
        lines = [item.lineno for item in getattr(node.value, 'elts', [node.value])]
        return list(zip(names, lines, strict=True))
    return []


def _base_names(value: object, place: Place) -> list[str]:
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f'{place}: `_base_` is not a path or a list of paths',
                          hint="write it out: _base_ = ['../a.py', '../b.py']")
    try:
        return [str(plain_leaf(name)) for name in value]
    except NoData as error:
        raise ConfigError(f'{place}: `_base_` has {error.what}', hint=error.hint) from None


def _is_heavy_import(node: ast.stmt) -> bool:
    """Whether MMPretrain's file imports torch, only to try itself out."""
    modules = [node.module or ''] if isinstance(node, ast.ImportFrom) else [
        alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    return any(module.partition('.')[0] in HEAVY for module in modules)


def _check_private_names(names: Names, place: Place) -> None:
    for name, line in names.written.items():
        if not name.startswith('_') or name in RESERVED or name == '_' or _is_method(name):
            continue
        where = place._replace(line=line)
        if name not in names.read:
            near = nearest(name, RESERVED, 2)
            if not near:
                near = nearest(name, (*names.read, *names.written), 2)
            if near:
                raise ConfigError(f'{where}: `{name}` is never used in this file',
                                  hint=f'did you mean `{near[0]}`?')
            raise ConfigError(
                f'{where}: `{name}` is never used in this file',
                hint='a name that begins with `_` is private to its file: use it or remove it')
        near = nearest(name, RESERVED, 1)
        if near:
            raise ConfigError(f'{where}: `{name}` looks like a misspelt `{near[0]}`',
                              hint=did_you_mean(name, RESERVED))


def _is_method(name: str) -> bool:
    """Whether Python itself uses a name, in a class."""
    return name.startswith('__') and name.endswith('__') and not nearest(name, RESERVED[:1], 2)


class _Locate(ast.NodeTransformer):
    """Make every dict that the file writes remember its lines."""

    def __init__(self, place: Place):
        self.place = place
        self.table: list[tuple[Place, dict[str, Place]]] = []

    def _call(self, node: ast.expr, lines: dict[str, int], args: list[ast.expr],
              keywords: list[ast.keyword]) -> ast.Call:
        self.table.append((self.place._replace(line=node.lineno),
                           {key: self.place._replace(line=line) for key, line in lines.items()}))
        call = ast.Call(ast.Name(_CALL, ast.Load()),
                        [ast.Constant(len(self.table) - 1), *args], keywords)
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Name) and node.func.id == 'dict'):
            return node
        lines = {word.arg: word.lineno for word in node.keywords if word.arg}
        return self._call(node, lines, node.args, node.keywords)

    def visit_Dict(self, node: ast.Dict) -> ast.Call:
        self.generic_visit(node)
        lines = {key.value: key.lineno for key in node.keys
                 if isinstance(key, ast.Constant) and isinstance(key.value, str)}
        return self._call(node, lines, [node], [])

    def visit_DictComp(self, node: ast.DictComp) -> ast.Call:
        self.generic_visit(node)
        return self._call(node, {}, [node], [])


def _execute(tree: ast.Module, path: Path, place: Place, base: Located, names: Names,
             imported: Located) -> dict[str, Any]:
    locate = _Locate(place)
    tree = ast.fix_missing_locations(locate.visit(tree))

    def written(index: int, /, *args: Any, **kwargs: Any) -> Written:
        here, lines = locate.table[index]
        result = Written({}, *args, **kwargs)
        inherited = getattr(args[0], 'places', {}) if args else {}
        result.places.update((key, lines.get(key) or inherited.get(key, here)) for key in result)
        return result

    filename = f'<config {path}>'  # no other code has it, so frames are told apart
    space = {BASE: base, _CALL: written, '__copy_of__': copy.deepcopy, '__file__': str(path),
             '__name__': '__config__', LAZY: Lazy}
    given = set(space)
    space.update(dict.items(imported))
    with _as_executing(filename, place):
        try:
            exec(compile(tree, filename, 'exec'), space)
        except ConfigError as error:  # a class was called that is only a name here
            where = place._replace(line=_line_of(error, filename))
            raise ConfigError(f'{where}: {error.message}', hint=error.hint) from None
        except SystemExit as error:  # exit(): nothing would be said, and nothing done
            where = place._replace(line=_line_of(error, filename))
            raise ConfigError(f'{where}: the config ends the program ({type(error).__name__})',
                              hint='take exit() out: a config says what is to be done') from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise _execution_error(error, filename, place, base, names) from error
    return {key: value for key, value in space.items()
            if key not in given and not key.startswith('__')}


@contextmanager
def _as_executing(filename: str, place: Place) -> Iterator[None]:
    executing.append((filename, place))
    try:
        yield
    finally:
        executing.pop()


def _line_of(error: BaseException, filename: str) -> int | None:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _execution_error(error: BaseException, filename: str, place: Place, base: Located,
                     names: Names) -> ConfigError:
    where = place._replace(line=_line_of(error, filename))
    said = _words_of(error)
    if isinstance(error, NameError) and type(error.name) is str and error.name:
        known = [name for name in names.written if name != error.name]
        return ConfigError(f'{where}: `{error.name}` is not defined',
                           hint=did_you_mean(error.name, (*known, *names.read - {error.name}))
                           or 'names of base files are written {{_base_.name}}')
    if isinstance(error, KeyError | AttributeError):
        found = re.search(r"no attribute '(\w+)'", said)
        missing = found[1] if found else said.strip('\'"')
        known = [*base, *(key for value in dict.values(base) if isinstance(value, dict)
                          for key in value)]
        hint = did_you_mean(missing, known)
        if missing.startswith('_'):
            hint = hint or 'names that begin with `_` are private to the file that writes them'
        there = ', '.join(map(str, base)) or 'nothing'
        return ConfigError(f'{where}: `{missing}` is not there to be read',
                           hint=hint or f'the base files set {there}')
    return ConfigError(f'{where}: {type(error).__name__}: {said}',
                       hint='a config is executed as Python; see --traceback')


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # of a class of the file's own, or a number too long to be written
        return 'without words'


def _deprecation(value: object) -> str:
    if not isinstance(value, dict):
        return ''
    parts = [f'use {value["expected"]}'] if 'expected' in value else []
    parts += [f'see {value["reference"]}'] if 'reference' in value else []
    return 'deprecated: ' + (', '.join(parts) or 'no replacement is named')
