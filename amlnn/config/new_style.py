"""MMEngine's new style of configs: bases by `with read_base()`, classes by importing them.

Nothing is imported for it. A base that is imported is a base file, and a class is its name: that by
which a registry has it, else the dotted one.
"""

import ast
import importlib.util
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from amlnn.config.located import Located, Place
from amlnn.config.plain_values import Lazy
from amlnn.config.signatures import library
from amlnn.errors import ConfigError

__all__ = ['HEAVY', 'LAZY', 'ImportedBases', 'lazy_imports', 'take_imported_bases',
           'without_lazy']

LAZY = '__class_by_name__'
# Importing one of these brings in torch.
HEAVY = ('torch', 'torchvision', 'timm', 'mmcv', 'mmpretrain', 'mmengine', 'mmdet', 'amlnn')
_WRITE_BASES = "write `_base_ = ['...']` and name classes by strings"


@dataclass
class ImportedBases:
    """What a file takes from its bases by importing them."""

    files: list[tuple[str, int]] = field(default_factory=list)
    """Path and line of each."""
    names: list[dict[str, str] | None] = field(default_factory=list)
    """Of each, the names that are taken and what they are called here; None for all."""

    def values(self, base: Located, place: Place) -> Located:
        """The keys that the file begins with.

        Raises:
            ConfigError: a name is imported that no base has.
        """
        result = Located()
        if None in self.names:
            for key, value in dict.items(base):
                result.put(key, value, base.place(key))
        for names, (file, line) in zip(self.names, self.files, strict=True):
            for name, called in (names or {}).items():
                if name not in base:
                    raise ConfigError(f'{place._replace(line=line)}: `{file}` has no `{name}`',
                                      hint=f'it has {", ".join(base) or "nothing"}')
                result.put(called, base[name], base.place(name))
        return result


def take_imported_bases(tree: ast.Module, place: Place, folder: Path) -> ImportedBases | None:
    """Take `with read_base():` out of a file.

    Args:
        tree: The file, which loses those statements.
        place: The file.
        folder: Where it lies.

    Returns:
        None where there is no such statement.

    Raises:
        ConfigError: something else than `from ... import ...` stands there, or a base is imported
            without it.

    >>> tree = ast.parse('with read_base():\\n    from .small import model as net\\ndepth = 18')
    >>> found = take_imported_bases(tree, Place('child.py'), Path())
    >>> found.files, found.names, ast.unparse(tree)
    ([('small.py', 2)], [{'model': 'net'}], 'depth = 18')
    """
    found = None
    for node in list(tree.body):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise ConfigError(f'{place}:{node.lineno}: a base is imported without `with '
                              'read_base():`', hint=_WRITE_BASES)
        if not _is_read_base(node):
            continue
        found = found or ImportedBases()
        tree.body.remove(node)
        for inner in node.body:
            if not isinstance(inner, ast.ImportFrom):
                raise ConfigError(f'{place}:{inner.lineno}: `with read_base():` has something else '
                                  'than `from ... import ...`', hint=_WRITE_BASES)
            found.files.append((_file_of(inner, place, folder), inner.lineno))
            found.names.append(None if inner.names[0].name == '*' else {
                alias.name: alias.asname or alias.name for alias in inner.names})
    return found


def lazy_imports(tree: ast.Module) -> set[str]:
    """Make names of what a file imports from libraries that bring in torch.

    Args:
        tree: The file, which is changed.

    Returns:
        The names that are bound so.

    >>> tree = ast.parse('import math\\nfrom torch.optim import SGD')
    >>> lazy_imports(tree)
    {'SGD'}
    >>> print(ast.unparse(tree))
    import math
    SGD = __class_by_name__('torch.optim.SGD')
    """
    replace = _Replace()
    replace.visit(tree)
    ast.fix_missing_locations(tree)
    return replace.bound


def without_lazy(value: Any) -> Any:
    """A value with plain strings in the place of names of classes.

    >>> without_lazy({'type': Lazy('torch.optim.SGD'), 'of': [Lazy('torch.nn.functional.gelu')]})
    {'type': 'SGD', 'of': ['torch.nn.functional.gelu']}
    """
    if isinstance(value, Lazy):
        module, _, name = value.rpartition('.')
        return name if module and library().find_anywhere(name) else str(value)
    if isinstance(value, dict):
        for key, item in dict.items(value):
            dict.__setitem__(value, key, without_lazy(item))
        return value
    return type(value)(map(without_lazy, value)) if type(value) in (list, tuple) else value


def _is_read_base(node: ast.stmt) -> TypeGuard[ast.With]:
    return isinstance(node, ast.With) and any(
        isinstance(item.context_expr, ast.Call)
        and ast.unparse(item.context_expr.func).rpartition('.')[2] == 'read_base'
        for item in node.items)


def _file_of(node: ast.ImportFrom, place: Place, folder: Path) -> str:
    inner = (node.module or '').split('.')
    if node.level:
        path = folder.joinpath(*['..'] * (node.level - 1), *inner)
        return os.path.relpath(path.with_name(f'{path.name}.py'), folder)
    spec = importlib.util.find_spec(inner[0])
    for root in (spec.submodule_search_locations if spec else None) or ():
        path = Path(root).joinpath(*inner[1:])
        if path.with_name(f'{path.name}.py').is_file():
            return str(path.with_name(f'{path.name}.py'))
    raise ConfigError(f'{place}:{node.lineno}: no config `{node.module}`',
                      hint=f"{_WRITE_BASES}; MMPretrain's are `mmpretrain::resnet/...`")


class _Replace(ast.NodeTransformer):
    def __init__(self) -> None:
        self.bound: set[str] = set()

    def visit_Import(self, node: ast.Import) -> ast.stmt | list[ast.stmt]:
        return self._names(node, [(alias, alias.name if alias.asname else
                                   alias.name.partition('.')[0]) for alias in node.names])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | list[ast.stmt]:
        module = node.module or ''
        if node.level or any(alias.name == '*' for alias in node.names):
            return node
        return self._names(node, [(alias, f'{module}.{alias.name}') for alias in node.names])

    def _names(self, node: ast.stmt, found: list[tuple[ast.alias, str]]) \
            -> ast.stmt | list[ast.stmt]:
        heavy = [(alias, name) for alias, name in found if name.partition('.')[0] in HEAVY]
        if len(heavy) < len(found):
            return node
        result: list[ast.stmt] = []
        for alias, name in heavy:
            bound = alias.asname or alias.name.partition('.')[0]
            self.bound.add(bound)
            call = ast.Call(ast.Name(LAZY, ast.Load()), [ast.Constant(name)], [])
            result.append(ast.copy_location(
                ast.Assign([ast.Name(bound, ast.Store())], call), node))
        return result
