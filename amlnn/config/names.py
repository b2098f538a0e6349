"""Which top-level names one config file writes and reads, and what of them its keys are made of."""

import ast
from collections.abc import Iterable, Iterator

__all__ = ['BASE', 'Names']

BASE = '_base_'


class Names(ast.NodeVisitor):
    """The top-level names of a file.

    Args:
        tree: The file, parsed.

    >>> names = Names(ast.parse("root = 'a'; half = root; spare = 1; model = {'path': half}"))
    >>> sorted(names.used(['model']))
    ['half', 'model', 'root']
    """

    def __init__(self, tree: ast.Module):
        self.written: dict[str, int] = {}
        self.read: set[str] = set()
        self.inherited: set[str] = set()
        self.imported: set[str] = set()
        self._in_function = 0
        self._body = tree.body
        self.visit(tree)

    def used(self, keys: Iterable[str]) -> set[str]:
        """The names that `keys` or changes of the bases are made of, the keys included."""
        needs: dict[str, set[str]] = {}
        for target, reads in _dependencies(self._body):
            needs.setdefault(target, set()).update(reads)
        found, waiting = set(), [*keys, BASE]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += needs.get(name, ())
        return found & (needs.keys() | self.read) - {BASE}

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read.add(node.id)
        elif not self._in_function:
            self.written[node.id] = node.lineno

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            self.read.add(node.target.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == BASE:
            self.inherited.add(node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == BASE \
                and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            self.inherited.add(node.slice.value)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.imported.update(alias.asname or alias.name.partition('.')[0]
                             for alias in node.names)

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.written[node.name] = node.lineno
        self._in_function += 1
        self.generic_visit(node)
        self._in_function -= 1

    def visit_Lambda(self, node: ast.AST) -> None:
        self._in_function += 1
        self.generic_visit(node)
        self._in_function -= 1

    # What a comprehension counts with is no name of the file.
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_Lambda  # noqa: N815


def _dependencies(body: list[ast.stmt]) -> Iterator[tuple[str, set[str]]]:
    """Every name that the statements write or change, and the names that go into it."""
    for node in body:
        inner = [child for name in ('body', 'orelse', 'finalbody') for child in
                 getattr(node, name, None) or () if isinstance(child, ast.stmt)]
        inner += [child for each in getattr(node, 'handlers', ()) for child in each.body]
        inner += [child for each in getattr(node, 'cases', ()) for child in each.body]
        if inner and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            # A condition, or what a loop counts with, goes into all that is written below it.
            heads = [child for child in ast.iter_child_nodes(node)
                     if not isinstance(child, ast.stmt)]
            reads = set().union(*map(_reads, heads))
            for target in set().union(*map(_writes, heads)):
                yield target, reads
                reads = reads | {target}
            for target, more in _dependencies(inner):
                yield target, more | reads
        else:
            reads = _reads(node)
            for target in _writes(node):
                yield target, reads


def _reads(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node)
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load)}


def _writes(node: ast.AST) -> set[str]:
    """The names that a statement binds, and those whose values it changes."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    found = {child.id for child in ast.walk(node)
             if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store | ast.Del)}
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute | ast.Subscript) \
                and not isinstance(child.ctx, ast.Load):
            found.add(_root(child))
        elif isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            found.add(_root(child.func))  # `steps.append(step)` changes `steps`
        elif isinstance(child, ast.Call) and isinstance(node, ast.Expr):
            # A function called for what it does may change whatever it is given.
            found.update(_root(each) for each in child.args)
    return found - {''}


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ''
