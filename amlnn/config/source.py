"""One config file: its text, what it writes and on which lines, which names are its own."""

import ast
import copy
import os
import re
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from amlnn.config.files import place_of
from amlnn.config.located import Located, Place, Written, executing, located
from amlnn.config.names import BASE, Names
from amlnn.config.structure import TOP_LEVEL
from amlnn.errors import ConfigError
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
    inherited: set[str]
    """Top-level names of its bases that the file reads or changes through `_base_`."""
    deprecation: str = ''
    bases: list[tuple[str, int]] = field(default_factory=list)


def read_source(path: Path, inherit) -> Source:
    """Execute one config file.

    Args:
        path: The file.
        inherit: Called with the file's list of (base name, line) and its place; returns a Located
            of all that the bases set. `_base_` in the file is this dict.

    Raises:
        ConfigError: the file cannot be parsed or executed, or a name in it is misspelt.
    """
    place = place_of(path)
    text = _substituted(path, place)
    tree = _parse(text, place)
    bases = _bases(tree, place)
    tree.body = [node for node in tree.body if not _is_heavy_import(node, place)]
    base = inherit(bases, place)
    names = Names(tree)
    if not place.shipped:
        _check_private_names(names, place)
    values = _execute(tree, path, place, base, names)
    deprecation = values.get('_deprecation_')
    private = {name for name in values if name.startswith('_')}
    top = Located()
    for key, value in values.items():
        if key in private or key in names.imported \
                or isinstance(value, type | types.ModuleType | types.FunctionType):
            continue
        here = place._replace(line=names.written.get(key))
        top.put(key, located(value, here), here)
    return Source(path=path, place=place, values=top, private=private, read=names.read,
                  used=names.used(TOP_LEVEL),
                  inherited=names.inherited, deprecation=_deprecation(deprecation), bases=bases)


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
        text = re.sub(r'\{\{\s*' + key + r'\s*\}\}', lambda _, value=value: value, text)

    def from_environment(match):
        value = os.environ.get(match[1], match[2])
        if not value:
            line = text.count('\n', 0, match.start()) + 1
            raise ConfigError(f'{place}:{line}: the environment variable `{match[1]}` is not set',
                              hint=f'export {match[1]}=..., or write a default after the colon')
        return value

    text = re.sub(r'\{\{[\'\"]?\s*\$(\w+)\s*\:\s*(\S*?)\s*[\'\"]?\}\}', from_environment, text)
    return re.sub(r'\{\{\s*_base_\.([\w\.]+)\s*\}\}', r'__copy_of__(_base_.\1)', text)


def _parse(text: str, place: Place) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        shown = (error.text or '').strip()
        where = place._replace(line=error.lineno)
        raise ConfigError(f'{where}: {error.msg}', hint=f'look at `{shown}` and the line before'
                          if shown else 'look at this line and the one before') from None
    except ValueError as error:  # a null byte
        raise ConfigError(f'{place}: {error}', hint='a config is a Python file in UTF-8') from None


def _bases(tree: ast.Module, place: Place) -> list[tuple[str, int]]:
    for index, node in enumerate(tree.body):
        if isinstance(node, ast.With) or (isinstance(node, ast.ImportFrom) and node.level):
            raise ConfigError(
                f'{place}:{node.lineno}: configs that import their bases are not supported',
                hint="write `_base_ = ['...']` and name classes by strings")
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
                and node.targets[0].id == BASE):
            continue
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            value = None
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f'{place}:{node.lineno}: `_base_` is not a path or a list of paths',
                              hint="write it out: _base_ = ['../a.py', '../b.py']")
        del tree.body[index]
        lines = [item.lineno for item in getattr(node.value, 'elts', [node.value])]
        return list(zip(value, lines, strict=True))
    return []


# Importing one of these brings in torch, and a config names classes by strings anyway.
_HEAVY = ('torch', 'torchvision', 'timm', 'mmcv', 'mmpretrain', 'mmengine', 'mmdet', 'amlnn')


def _is_heavy_import(node: ast.stmt, place: Place) -> bool:
    """Tell whether MMPretrain's file imports torch only to try itself out.

    Raises:
        ConfigError: another file imports it.
    """
    if isinstance(node, ast.ImportFrom):
        modules = [node.module or '']
    elif isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    else:
        return False
    heavy = [module for module in modules if module.partition('.')[0] in _HEAVY]
    if heavy and not place.shipped:
        raise ConfigError(
            f'{place}:{node.lineno}: a config may not import `{heavy[0]}`',
            hint='name classes by strings; list modules that register some in '
                 "custom_imports=dict(imports=['...'])")
    return bool(heavy)


def _check_private_names(names: Names, place: Place) -> None:
    for name, line in names.written.items():
        if not name.startswith('_') or name in RESERVED or name == '_':
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


class _Locate(ast.NodeTransformer):
    """Make every dict that the file writes remember its lines."""

    def __init__(self, place: Place):
        self.place = place
        self.table: list[tuple[Place, dict[str, Place]]] = []

    def _call(self, node, lines, args, keywords):
        self.table.append((self.place._replace(line=node.lineno),
                           {key: self.place._replace(line=line) for key, line in lines.items()}))
        call = ast.Call(ast.Name(_CALL, ast.Load()),
                        [ast.Constant(len(self.table) - 1), *args], keywords)
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def visit_Call(self, node):
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Name) and node.func.id == 'dict'):
            return node
        lines = {word.arg: word.lineno for word in node.keywords if word.arg}
        return self._call(node, lines, node.args, node.keywords)

    def visit_Dict(self, node):
        self.generic_visit(node)
        lines = {key.value: key.lineno for key in node.keys
                 if isinstance(key, ast.Constant) and isinstance(key.value, str)}
        return self._call(node, lines, [node], [])

    def visit_DictComp(self, node):
        self.generic_visit(node)
        return self._call(node, {}, [node], [])


def _execute(tree, path, place, base, names) -> dict:
    locate = _Locate(place)
    tree = ast.fix_missing_locations(locate.visit(tree))

    def written(index, /, *args, **kwargs):
        here, lines = locate.table[index]
        result = Written({}, *args, **kwargs)
        inherited = getattr(args[0], 'places', {}) if args else {}
        result.places.update((key, lines.get(key) or inherited.get(key, here)) for key in result)
        return result

    filename = f'<config {path}>'  # no other code has it, so frames are told apart
    space = {BASE: base, _CALL: written, '__copy_of__': copy.deepcopy, '__file__': str(path),
             '__name__': '__config__'}
    given = set(space)
    with _as_executing(filename, place):
        try:
            exec(compile(tree, filename, 'exec'), space)
        except ConfigError:
            raise
        except Exception as error:
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


def _execution_error(error, filename, place, base, names) -> ConfigError:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    where = place._replace(line=line)
    if isinstance(error, NameError) and error.name:
        known = [name for name in names.written if name != error.name]
        return ConfigError(f'{where}: `{error.name}` is not defined',
                           hint=did_you_mean(error.name, (*known, *names.read - {error.name}))
                           or 'names of base files are written {{_base_.name}}')
    if isinstance(error, KeyError | AttributeError):
        missing = getattr(error, 'name', None) or (error.args[0] if error.args else '')
        found = re.search(r"no attribute '(\w+)'", str(error))
        missing = found[1] if found else str(missing)
        known = [*base, *(key for value in dict.values(base) if isinstance(value, dict)
                          for key in value)]
        hint = did_you_mean(missing, known)
        if missing.startswith('_'):
            hint = hint or 'names that begin with `_` are private to the file that writes them'
        names = ', '.join(map(str, base)) or 'nothing'
        return ConfigError(f'{where}: `{missing}` is not there to be read',
                           hint=hint or f'the base files set {names}')
    return ConfigError(f'{where}: {type(error).__name__}: {error}',
                       hint='a config is executed as Python; see --traceback')


def _deprecation(value) -> str:
    if not isinstance(value, dict):
        return ''
    parts = [f'use {value["expected"]}'] if 'expected' in value else []
    parts += [f'see {value["reference"]}'] if 'reference' in value else []
    return 'deprecated: ' + (', '.join(parts) or 'no replacement is named')
