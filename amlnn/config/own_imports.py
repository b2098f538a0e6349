"""Importing a user's own modules, and keeping them with a run.

`custom_imports` means what it means to MMEngine: the modules are imported before anything is built,
and with `allow_failed_imports` one that cannot be is left out with a warning.
"""

import importlib
import importlib.machinery
import importlib.util
import shutil
import sys
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amlnn.atomic import replacing
from amlnn.config.own_modules import (
    OwnModule,
    belonging,
    content_hash,
    custom_modules,
    source_files,
)
from amlnn.errors import ConfigError, UsageError

__all__ = ['check_unchanged', 'import_own_modules', 'keep_own_modules']

# Larger files of a package, weights for one, stay where they are.
_LARGEST = 10_000_000

_read: dict[str, str] = {}
"""Module to what its source was when it was imported."""


def import_own_modules(config: Mapping[str, Any]) -> None:
    """Import what `custom_imports` of a config names, so that its classes are registered.

    The folders of modules that Python would not find go to its path, for the workers that load
    data.

    Raises:
        ConfigError: a module is not there, cannot be imported, registers what is registered
            already, or another of that name was imported before.

    >>> import_own_modules({'custom_imports': {'imports': ['no_such_parts']}})
    Traceback (most recent call last):
        ...
    amlnn.errors.ConfigError: custom_imports names `no_such_parts`, and there is no such module
    """
    section = config.get('custom_imports')
    if not isinstance(section, dict):
        return
    names = section.get('imports') or ()
    own = {str(name): name for name in custom_modules(config)}
    for name in [names] if isinstance(names, str) else names:
        try:
            _import(own.get(str(name)) or OwnModule(name))
        except ImportError as error:
            if not section.get('allow_failed_imports', False):
                raise _failed(own.get(str(name)) or OwnModule(name), error) from error
            warnings.warn(f'custom_imports: `{name}` is left out: {error}', stacklevel=2)


def keep_own_modules(config: Mapping[str, Any], folder: Path) -> list[str]:
    """Copy the modules that lie beside a config into a run folder, beside its config.py.

    What Python finds anyway stays where it is.

    Returns:
        Lines to be printed.

    >>> from amlnn.config.located import Place
    >>> path = write('parts/__init__.py', 'width = 3')
    >>> module = OwnModule.found('parts', Path(), True, Place('small.py', 1))
    >>> keep_own_modules({'custom_imports': {'imports': [module]}}, Path('run'))
    []
    >>> Path('run/parts/__init__.py').read_text()
    'width = 3'
    """
    notes = []
    for module in custom_modules(config):
        for path in belonging(module) if module.beside else ():
            if path.parent.resolve() == folder.resolve():
                continue
            for file in [path] if path.is_file() else sorted(path.rglob('*')):
                name = file.relative_to(path.parent)
                if not file.is_file() or any(part == '__pycache__' or part.startswith('.')
                                             for part in name.parts):
                    continue
                if file.stat().st_size > _LARGEST:
                    notes.append(f'`{file}` is too large to be kept with the run')
                    continue
                with replacing(folder / name) as temporary:
                    shutil.copyfile(file, temporary)
    return notes


def check_unchanged(config: Mapping[str, Any], folder: Path) -> None:
    """Refuse to go on with a run by other modules than it began with.

    Raises:
        UsageError: one that the run folder keeps is not what the config means now.

    >>> from amlnn.config.located import Place
    >>> path, kept = write('parts.py', 'width = 4'), write('run/parts.py', 'width = 3')
    >>> module = OwnModule.found('parts', Path.cwd(), True, Place('small.py', 1))
    >>> check_unchanged({'custom_imports': {'imports': [module]}},
    ...                 Path('run'))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    amlnn.errors.UsageError: `...parts.py` is not what the run began with, which is `run/parts.py`
    """
    for module in custom_modules(config):
        for path in belonging(module) if module.beside else ():
            kept = folder / path.name
            if kept.exists() and content_hash(kept) != content_hash(path):
                raise UsageError(
                    f'`{path}` is not what the run began with, which is `{kept}`',
                    hint=f'put it back, or to go on with the new one: cp -r {path} {folder}')


def _import(module: OwnModule) -> None:
    paths = belonging(module)
    for path in paths:
        _check_free(module, path)
    if module.folder:
        _add_to_path(module)
    importlib.invalidate_caches()
    try:
        importlib.import_module(module)
    except (ImportError, ConfigError):
        raise
    except SystemExit as error:
        raise ConfigError(f'{_at(module)}custom_imports names `{module}`, and '
                          f'`{_line(paths[0] if paths else None, error)}` ends the program',
                          hint='take exit() out: a module that is imported defines') from error
    except Exception as error:
        raise _failed(module, error) from error
    for path in paths:
        if path.stem in sys.modules:
            _read.setdefault(path.stem, content_hash(path))


def _check_free(module: OwnModule, path: Path) -> None:
    """Refuse a module where one of that name, and of other content, was imported before."""
    before = sys.modules.get(path.stem)
    if before is None:
        return
    file = getattr(before, '__file__', None)
    if file and Path(file).name == '__init__.py':
        file = str(Path(file).parent)
    file = file or next(iter(getattr(before, '__path__', ())), None)
    now = content_hash(path)
    if path.stem in _read:
        if _read[path.stem] == now:
            return
    elif file and Path(file).exists() and content_hash(Path(file)) == now:
        return
    same = file and Path(file).resolve() == path.resolve()
    raise ConfigError(
        f'{_at(module)}`{path}` has changed since it was imported' if same else
        f'{_at(module)}custom_imports means `{path}`, and another module `{path.stem}` is loaded '
        f'already: {file or "a part of Python"}',
        hint='begin anew: a process reads a module once' if same else
        'give one of the two another name, or take a process for each')


def _add_to_path(module: OwnModule) -> None:
    if module.folder in sys.path and _python_finds(module):
        return
    # Behind everything else, so that no file of the folder hides one of Python's or a library's;
    # before it only where another module of this name would be found first.
    sys.path.append(module.folder)
    importlib.invalidate_caches()
    if not _python_finds(module):
        sys.path.insert(0, sys.path.pop())


def _python_finds(module: OwnModule) -> bool:
    spec = importlib.machinery.PathFinder.find_spec(module.top)
    if spec is None:
        return False
    places = [spec.origin] if spec.origin else []
    places += spec.submodule_search_locations or []
    return any(Path(place).is_relative_to(module.folder) for place in places)


def _at(module: OwnModule) -> str:
    return f'{module.place}: ' if module.place else ''


def _failed(module: OwnModule, error: Exception) -> ConfigError:
    path = module.path
    missing = getattr(error, 'name', None) if isinstance(error, ModuleNotFoundError) else None
    if missing and (path is None or module == missing or module.startswith(f'{missing}.')):
        where = f' in `{path}`' if path is not None else ''
        return ConfigError(f'{_at(module)}custom_imports names `{module}`, and there is no such '
                           f'module{where}', hint=f'put `{module.top}.py` beside the config, or '
                           'set PYTHONPATH to its folder')
    shown = f'{_at(module)}custom_imports names `{module}`, and `{_line(path, error)}` '
    text = ' '.join(str(error).split())[:200]
    if isinstance(error, KeyError) and 'already registered' in text:
        name = text.strip('"\'').partition(' ')[0]
        return ConfigError(f'{shown}registers `{name}` a second time',
                           hint=f'give the class another name, or: register_module(name=\'Own'
                           f'{name}\')')
    if missing:
        return ConfigError(f'{shown}needs the package {missing}: not installed',
                           hint=f'pip install {missing}')
    return ConfigError(f'{shown}cannot be imported: {type(error).__name__}: {text}',
                       hint='run again with --traceback for the place in the code')


def _line(path: Path | None, error: BaseException) -> str:
    """File and line of the user's code that an error comes from."""
    if path is None:
        return 'it'
    files = {str(file.resolve()) for file in source_files(path)}
    if isinstance(error, SyntaxError) and error.filename:
        return f'{error.filename}:{error.lineno}'
    lines = [frame for frame in traceback.extract_tb(error.__traceback__)
             if str(Path(frame.filename).resolve()) in files]
    return f'{lines[-1].filename}:{lines[-1].lineno}' if lines else str(path)
