"""What one Python module defines and registers, read from its source without importing it.

Everything returned is made of dicts, lists and strings, so that it can be cached as JSON.
"""

import ast
import json
import warnings
from pathlib import Path
from typing import Any, TypedDict

from amlnn.config.facts import VOCABULARY
from amlnn.foreign_texts import parse_python

__all__ = ['SCAN_VERSION', 'Call', 'Class', 'Module', 'scan_module']


class Call(TypedDict, total=False):
    """How a function or a constructor is called."""

    args: list[tuple[str, str | None, str | None]]
    """Name, annotation and default of each argument, as written."""
    types: dict[str, str]
    """Which `type` a dict argument gets where it names none."""
    kwargs: list[list[Any]]
    """What becomes of `**kwargs`: its kind first, then what that kind needs."""
    dataclass: bool


class Class(TypedDict, total=False):
    """A class: its bases as written, the facts it declares, its constructor."""

    bases: list[str]
    facts: dict[str, object]
    init: Call


class Module(TypedDict):
    """What `scan_module` returns."""

    imports: dict[str, str]
    """Local name to dotted name."""
    stars: list[str]
    """Modules of which everything is imported."""
    needs: list[str]
    """Packages."""
    classes: dict[str, Class]
    functions: dict[str, Call]
    registered: list[tuple[str, str, str]]
    """Registry, registered name, local dotted name."""
    forced: list[str]
    """Registered names that may replace others."""
    gated: list[str]
    """Names or modules that are only there with MMPretrain's multimodal extra."""


# To be raised with every change of what is returned: older caches are then read no more.
SCAN_VERSION = 9

# Registries go by several variable names.
_SAME_REGISTRY = dict(EVALUATORS='EVALUATOR', BACKBONES='MODELS', NECKS='MODELS', HEADS='MODELS',
                      LOSSES='MODELS', CLASSIFIERS='MODELS', RETRIEVER='MODELS')


def scan_module(path: Path, name: str) -> Module:
    """Read one module.

    Args:
        path: Its file.
        name: Its dotted name.

    >>> path = write('own.py', 'def shift(values, by: int = 3): ...')
    >>> scan_module(path, 'own')['functions']
    {'shift': {'args': [('values', None, None), ('by', 'int', '3')]}}
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # invalid escapes in other people's strings
            tree = parse_python(path.read_text(encoding='utf-8'))
    except (OSError, SyntaxError, ValueError):
        tree = ast.Module(body=[], type_ignores=[])
    package = name if path.name == '__init__.py' else name.rpartition('.')[0]
    scanner = _Scanner(package)
    scanner.statements(tree.body, guarded=False)
    return scanner.found


class _Scanner:
    def __init__(self, package: str):
        self.package = package
        self.found: Module = {'imports': {}, 'stars': [], 'needs': [], 'classes': {},
                              'functions': {}, 'registered': [], 'forced': [], 'gated': []}

    def statements(self, body: list[ast.stmt], guarded: bool, gated: bool = False) -> None:
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node, guarded, gated)
            elif isinstance(node, ast.ClassDef):
                self._class(node)
            elif isinstance(node, ast.FunctionDef):
                self.found['functions'][node.name] = _signature(node, node.name)
                self._decorators(node)
            elif isinstance(node, ast.If):
                multimodal = isinstance(node.test, ast.Name) and 'MULTIMODAL' in node.test.id
                self.statements(node.body, True, gated or multimodal)
                self.statements(node.orelse, True, gated)
            elif isinstance(node, ast.Try):
                for part in (node.body, *(h.body for h in node.handlers), node.orelse):
                    self.statements(part, True, gated)
            elif isinstance(node, ast.With):
                self.statements(node.body, guarded, gated)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                self._registration_call(node.value)

    def _import(self, node: ast.Import | ast.ImportFrom, guarded: bool, gated: bool) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.found['imports'][alias.asname or alias.name.partition('.')[0]] = \
                    alias.name if alias.asname else alias.name.partition('.')[0]
                if not guarded:
                    self.found['needs'].append(alias.name.partition('.')[0])
            return
        module = node.module or ''
        if node.level:
            parent = self.package.split('.')
            parent = parent[:len(parent) - node.level + 1]
            module = '.'.join([*parent, module] if module else parent)
        elif not guarded:
            self.found['needs'].append(module.partition('.')[0])
        for alias in node.names:
            if alias.name == '*':
                self.found['stars'].append(module)
                if gated:
                    self.found['gated'].append(module)
            else:
                self.found['imports'][alias.asname or alias.name] = f'{module}.{alias.name}'
                if gated:
                    self.found['gated'].append(alias.name)

    def _class(self, node: ast.ClassDef) -> None:
        entry: Class = {'bases': [text for base in node.bases if (text := _dotted(base))]}
        methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
        self._facts(node, entry)
        if 'compute_metrics' in methods:  # its results are not those of its bases
            entry.setdefault('facts', {}).setdefault('reports', None)
        if any(_dotted(d.func if isinstance(d, ast.Call) else d).endswith('dataclass')
               for d in node.decorator_list):
            entry['init'] = {'args': [(item.target.id, ast.unparse(item.annotation),
                                       _default(item.value)) for item in node.body
                                      if isinstance(item, ast.AnnAssign)
                                      and isinstance(item.target, ast.Name)
                                      and 'ClassVar' not in ast.unparse(item.annotation)],
                             'dataclass': True}
        elif '__init__' in methods:
            entry['init'] = _signature(methods['__init__'], node.name, methods)
        self.found['classes'][node.name] = entry
        self._decorators(node)

    def _facts(self, node: ast.ClassDef, entry: Class) -> None:
        """The constants that declare something about the class."""
        facts = {}
        for item in node.body:
            if isinstance(item, ast.Assign | ast.AnnAssign) and item.value is not None:
                for target in item.targets if isinstance(item, ast.Assign) else [item.target]:
                    if isinstance(target, ast.Name) and target.id in VOCABULARY:
                        facts[target.id] = _written_out(item.value)
        if facts:
            entry['facts'] = facts

    def _decorators(self, node: ast.ClassDef | ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            target = call.func if call else decorator
            if not (isinstance(target, ast.Attribute) and target.attr == 'register_module'):
                continue
            names = _names_of(call) or [node.name]
            for name in names:
                self._register(target, name, node.name, call)

    def _registration_call(self, call: ast.Call) -> None:
        if not (isinstance(call.func, ast.Attribute) and call.func.attr == 'register_module'):
            return
        module = next((word.value for word in call.keywords if word.arg == 'module'), None)
        local = _dotted(module) if module is not None else ''
        if local:
            for name in _names_of(call) or [local.rpartition('.')[2]]:
                self._register(call.func, name, local, call)

    def _register(self, target: ast.Attribute, name: str, local: str,
                  call: ast.Call | None) -> None:
        registry = _dotted(target.value).rpartition('.')[2]
        if registry.isupper():
            registry = _SAME_REGISTRY.get(registry, registry)
            self.found['registered'].append((registry, name, local))
            if call and any(word.arg == 'force' for word in call.keywords):
                self.found['forced'].append(name)


def _names_of(call: ast.Call | None) -> list[str]:
    if call is None:
        return []
    value = next((word.value for word in call.keywords if word.arg == 'name'),
                 call.args[0] if call.args else None)
    items = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    return [item.value for item in items
            if isinstance(item, ast.Constant) and isinstance(item.value, str)]


def _dotted(node: ast.AST) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ''
    return '.'.join([node.id, *reversed(parts)])


def _written_out(node: ast.AST) -> object:
    """The value of a literal, where `dict(a=1)` will do for `{'a': 1}`; else what fits no fact."""
    try:
        value = _literal(node)
        json.dumps(value)  # a set is no fact, and could not be cached
    except (TypeError, ValueError):
        return [None]
    return value


def _literal(node: ast.AST | None) -> object:
    if isinstance(node, ast.Call) and _dotted(node.func) == 'dict' and not node.args:
        return {word.arg: _literal(word.value) for word in node.keywords}
    if isinstance(node, ast.Dict):
        return {_literal(key): _literal(value)
                for key, value in zip(node.keys, node.values, strict=True)}
    if node is None:  # `{**others}`
        raise ValueError
    return ast.literal_eval(node)


def _default(node: ast.AST | None) -> str | None:
    if node is None:
        return None
    text = ast.unparse(node)
    return text if len(text) <= 200 else '...'


_Methods = dict[str, ast.FunctionDef]


def _signature(node: ast.FunctionDef, owner: str, methods: _Methods | None = None) -> Call:
    """Parameters, and what becomes of `**kwargs`."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    args = [(argument.arg, None if argument.annotation is None
             else ast.unparse(argument.annotation), _default(default))
            for argument, default in (*zip(positional, defaults, strict=True),
                                      *zip(arguments.kwonlyargs, arguments.kw_defaults,
                                           strict=True))]
    found: Call = {'args': args[1:] if methods is not None and positional else args}
    defaults_of_type = _default_types(node)
    if defaults_of_type:
        found['types'] = defaults_of_type
    if arguments.kwarg:
        uses: list[list[Any]] = []
        _follow(node, arguments.kwarg.arg, owner, methods or {}, uses, set())
        found['kwargs'] = uses
    return found


def _default_types(node: ast.FunctionDef) -> dict[str, str]:
    """Which `type` a dict argument gets where it names none: `x.setdefault('type', 'Y')`."""
    found: dict[str, str] = {}
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) \
                and call.func.attr == 'setdefault' and isinstance(call.func.value, ast.Name) \
                and len(call.args) == 2:
            key, value = (a.value if isinstance(a, ast.Constant) else None for a in call.args)
            if key == 'type' and isinstance(value, str):
                found[call.func.value.id] = value
    return found


def _follow(node: ast.FunctionDef, kwargs: str, owner: str, methods: _Methods,
            uses: list[list[Any]], seen: set[str]) -> None:
    """List what a function does with its `**kwargs`: hands them on, takes some, or more."""
    explained: set[int] = set()
    node_of = {id(item.value): item for item in ast.walk(node) if isinstance(item, ast.Assign)}
    for item in ast.walk(node):
        if isinstance(item, ast.Call):
            _follow_call(item, kwargs, owner, methods, uses, seen, explained)
        elif isinstance(item, ast.Subscript) and _is(item.value, kwargs):
            explained.add(id(item.value))
            if isinstance(item.slice, ast.Constant) and isinstance(item.ctx, ast.Load):
                uses.append(['key', item.slice.value])
            elif not isinstance(item.slice, ast.Constant):
                uses.append(['open', owner])
        elif isinstance(item, ast.Dict):  # `kwargs = {'a': 1, **kwargs}` hands on what it got
            if isinstance(node_of.get(id(item)), ast.Assign) and _is(
                    node_of[id(item)].targets[0], kwargs):
                explained.update(id(value) for value in item.values if _is(value, kwargs))
        elif isinstance(item, ast.Compare) and any(_is(c, kwargs) for c in item.comparators):
            explained.update(id(c) for c in item.comparators)
            if isinstance(item.left, ast.Constant):
                uses.append(['key', item.left.value])
    for item in ast.walk(node):
        if isinstance(item, ast.Name) and _is(item, kwargs) and isinstance(item.ctx, ast.Load) \
                and id(item) not in explained:
            uses.append(['open', owner])
            return


def _follow_call(item: ast.Call, kwargs: str, owner: str, methods: _Methods,
                 uses: list[list[Any]], seen: set[str], explained: set[int]) -> None:
    if isinstance(item.func, ast.Attribute) and _is(item.func.value, kwargs):
        explained.add(id(item.func.value))
        if item.args and isinstance(item.args[0], ast.Constant):
            uses.append(['key', item.args[0].value])
        elif item.func.attr != 'update':
            uses.append(['open', owner])
        return
    if not any(word.arg is None and _is(word.value, kwargs) for word in item.keywords):
        return
    explained.update(id(word.value) for word in item.keywords if word.arg is None)
    words = [word.arg for word in item.keywords if word.arg]
    count = sum(not isinstance(argument, ast.Starred) for argument in item.args)
    target = item.func
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Call) \
            and isinstance(target.value.func, ast.Name) and target.value.func.id == 'super':
        uses.append(['super', count, words] if target.attr == '__init__' else ['open', owner])
    elif isinstance(target, ast.Attribute) and target.attr == '__init__':
        uses.append(['base', _dotted(target.value), max(count - 1, 0), words])
    elif isinstance(target, ast.Attribute) and _is(target.value, 'self') \
            and target.attr in methods:
        method = methods[target.attr]
        names = [a.arg for a in (*method.args.args[1 + count:], *method.args.kwonlyargs)]
        uses += [['key', name] for name in names if name not in words]
        if method.args.kwarg and method.name not in seen:
            seen.add(method.name)
            _follow(method, method.args.kwarg.arg, owner, methods, uses, seen)
    else:
        uses.append(['call', _dotted(target), count, words])


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
