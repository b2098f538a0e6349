"""Modules of a user's own, which `custom_imports` names: where they lie and what belongs to them.

They are looked for beside the file that names them, beside the config, on Python's path, and in the
working folder. Nothing is imported here.
"""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from amlnn.config.located import Located, Place
from amlnn.errors import ConfigError
from amlnn.foreign_texts import parse_python

__all__ = ['OwnModule', 'belonging', 'content_hash', 'custom_modules', 'is_librarys', 'module_path',
           'place_own_modules', 'source_files']

LIBRARIES = ('mmengine', 'mmcv', 'mmpretrain', 'amlnn')

# What a run folder has under these names is not a module of anybody's.
_TAKEN = ('config', 'checkpoints')


class OwnModule(str):
    """The dotted name of a module, which knows where the module was found.

    A config holds it in the place of the plain string, so that whoever builds from the config finds
    the same file, in whichever working folder.

    Attributes:
        folder: What has to be on Python's path to import it; '' where Python finds it anyway.
        beside: Whether it lies beside a config file, and not where others would find it too.
        place: Which line of which file names it.
    """

    folder: str = ''
    beside: bool = False
    place: str = ''

    @classmethod
    def found(cls, name: str, folder: Path | None, beside: bool, place: Place) -> 'OwnModule':
        """One that lies in `folder`."""
        module = cls(name)
        module.folder = str(folder) if folder else ''
        module.beside = beside
        module.place = str(place)
        return module

    @property
    def top(self) -> str:
        """The first part of the name: the file or the package."""
        return self.partition('.')[0]

    @property
    def path(self) -> Path | None:
        """The file or folder of `top`; None where there is none."""
        if self.folder:
            return module_path(self.top, Path(self.folder))
        try:
            spec = importlib.util.find_spec(self.top)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        if spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
        return Path(spec.origin) if spec.origin and spec.has_location else None


def place_own_modules(config: Located, folder: Path) -> None:
    """Find the modules of `custom_imports`, and have their names remember where they lie.

    Args:
        config: The resolved config, with the place of each key.
        folder: That of the config file.

    Raises:
        ConfigError: a module beside the config has a name that a run folder needs for itself.

    >>> from amlnn.config.located import located
    >>> path = write('configs/parts.py', 'width = 3')
    >>> config = located(dict(custom_imports=dict(imports=['parts'])), Place('small.py', 1))
    >>> place_own_modules(config, Path('configs'))
    >>> module, = config['custom_imports']['imports']
    >>> module, module.folder, module.beside
    ('parts', 'configs', True)
    """
    section = config.get('custom_imports')
    if not isinstance(section, Located) or 'imports' not in section:
        return
    place = section.place('imports')
    named_in = Path(place.file).absolute().parent if Path(place.file).is_file() else folder
    folders = list(dict.fromkeys([named_in, folder]))

    def find(name: object) -> object:
        if not isinstance(name, str) or not name or is_librarys(name):
            return name
        beside = next((each for each in folders if _lies_in(name, each)), None)
        if beside:
            found = OwnModule.found(name, beside, True, place)
            _check_names(found)
            return found
        found = OwnModule.found(name, None, False, place)
        if found.path is None and _lies_in(name, Path.cwd()):
            found.folder = str(Path.cwd())
        return found

    value = section['imports']
    dict.__setitem__(section, 'imports', [find(name) for name in value]
                     if isinstance(value, list | tuple) else find(value))


def custom_modules(config: Mapping[str, Any]) -> tuple[OwnModule, ...]:
    """The modules of a config's `custom_imports` that are not a library's.

    >>> custom_modules({'custom_imports': {'imports': ['parts', 'mmpretrain.models']}})
    ('parts',)
    """
    section = config.get('custom_imports')
    names = section.get('imports', ()) if isinstance(section, dict) else ()
    names = [names] if isinstance(names, str) else names or ()
    return tuple(name if isinstance(name, OwnModule) else OwnModule(name) for name in names
                 if isinstance(name, str) and name and not is_librarys(name))


def is_librarys(name: str) -> bool:
    """Whether a module is one of the libraries that configs can name classes of anyway.

    >>> is_librarys('mmpretrain.models'), is_librarys('mmpretrain_parts')
    (True, False)
    """
    return name.partition('.')[0] in LIBRARIES


def module_path(top: str, folder: Path) -> Path | None:
    """The file or the package called `top` in a folder; None where it has none.

    >>> path = write('parts.py', '')
    >>> module_path('parts', Path()), module_path('other', Path())
    (PosixPath('parts.py'), None)
    """
    if (folder / f'{top}.py').is_file():
        return folder / f'{top}.py'
    return folder / top if (folder / top).is_dir() else None


def belonging(module: OwnModule) -> list[Path]:
    """The file or folder of a module, and those beside it that it imports, and so on.

    Empty where the module cannot be found.

    >>> path, other = write('parts.py', 'import json, widths'), write('widths.py', '')
    >>> module = OwnModule.found('parts', Path.cwd(), True, Place('small.py', 1))
    >>> [path.name for path in belonging(module)]
    ['parts.py', 'widths.py']
    """
    first = module.path
    if first is None:
        return []
    found, waiting = [], [first]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found.append(path)
            waiting += _siblings(path)
    return found


def _siblings(path: Path) -> list[Path]:
    """The modules beside a file or package that its source imports."""
    folder = path.parent
    if _is_installed(folder):
        return []
    names = {name for file in source_files(path) for name in _imported(file)}
    paths = (module_path(name, folder) for name in sorted(names - {path.stem})
             if name not in sys.stdlib_module_names)
    return [each for each in paths if each is not None and source_files(each)]


def source_files(path: Path) -> list[Path]:
    """The Python files of a module or package.

    >>> path, data = write('parts/__init__.py', ''), write('parts/names.txt', '')
    >>> [str(file) for file in source_files(Path('parts'))]
    ['parts/__init__.py']
    """
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob('*.py') if '__pycache__' not in file.parts)


def content_hash(path: Path) -> str:
    """SHA-256 of the source of a module or package.

    >>> path = write('parts.py', 'width = 3')
    >>> before = content_hash(path)
    >>> before == content_hash(write('elsewhere/parts.py', 'width = 3'))
    True
    >>> before == content_hash(write('parts.py', 'width = 4'))
    False
    """
    digest = hashlib.sha256()
    for file in source_files(path):
        name = file.relative_to(path) if file != path else ''
        digest.update(f'{name}\0'.encode() + file.read_bytes())
    return digest.hexdigest()


def _lies_in(name: str, folder: Path) -> bool:
    parts = name.split('.')
    if not all(part.isidentifier() for part in parts):  # '//' would be a path of its own
        return False
    path = folder.joinpath(*parts)
    return path.with_name(f'{path.name}.py').is_file() or (path / '__init__.py').is_file()


def _check_names(module: OwnModule) -> None:
    for path in belonging(module):
        if path.stem in _TAKEN:
            raise ConfigError(
                f'{module.place}: custom_imports names `{module}`, and `{path.name}` cannot be '
                'kept with a run: run folders have something else of that name',
                hint='give the module another name')
    if module.top in sys.stdlib_module_names:
        raise ConfigError(f'{module.place}: custom_imports names `{module}`, beside the config, '
                          'and Python has a module of that name',
                          hint='give the module another name')


def _is_installed(folder: Path) -> bool:
    roots = {sysconfig.get_path(name) for name in ('stdlib', 'platstdlib', 'purelib', 'platlib')}
    return any(str(folder).startswith(root) for root in roots if root)


def _imported(file: Path) -> Iterator[str]:
    """First parts of the names of the modules that a file imports, anywhere in it."""
    try:
        tree = parse_python(file.read_text(encoding='utf-8'))
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names: Iterable[str] = ()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or '']
        yield from (name.partition('.')[0] for name in names)
