"""Config files on the disk: how they are found, what they are called, which one was meant."""

import importlib.util
import os
from pathlib import Path

from amlnn.config.located import Place
from amlnn.errors import ConfigError
from amlnn.suggest import nearest

__all__ = ['find_file', 'place_of', 'shipped_folder']


def shipped_folder() -> Path | None:
    """The folder of the configs that the installed MMPretrain ships, or None without it."""
    return _package_configs('mmpretrain')


def place_of(path: Path) -> Place:
    """How `path` is shown: relative to MMPretrain's configs or to the working folder."""
    shipped = shipped_folder()
    if shipped is not None and path.is_relative_to(shipped):
        return Place(f'mmpretrain::{path.relative_to(shipped).as_posix()}', shipped=True)
    folder = Path.cwd()
    if path.is_relative_to(folder):
        path = path.relative_to(folder)
    return Place(path.as_posix())


def find_file(name: str, folder: Path, where: str = '') -> tuple[Path, str | None]:
    """Find the file that `name` means.

    Args:
        name: A path, absolute or relative to `folder`, or 'package::path below its configs'.
        folder: Where the name was written.
        where: 'file:line: ' of a `_base_` that names it, '' for the command line.

    Returns:
        The absolute path, and the package's name if one was given.

    Raises:
        ConfigError: there is no such file; the hint names the nearest one.
    """
    scope = None
    if '::' in name:
        scope, _, relative = name.partition('::')
        root = _package_configs(scope)
        if root is None:
            raise ConfigError(f'{where}`{name}` needs the package {scope}, which is not installed '
                              'or ships no configs', hint='did you mean `mmpretrain::...`?'
                              if nearest(scope, ['mmpretrain'], 3) else f'pip install {scope}')
        path = root / relative
    else:
        path = Path(os.path.normpath(folder / Path(name).expanduser()))
    if path.suffix not in ('.py', '.json', '.yaml', '.yml'):
        other = path.with_name(path.name + '.py')
        hint = f'did you mean `{name}.py`?' if other.is_file() else \
            'a config is a Python file, or one of JSON or YAML'
        raise ConfigError(f'{where}`{name}` is not a Python file', hint=hint)
    if not path.is_file():
        what = 'no base file' if where else 'no config file'
        raise ConfigError(f'{where}{what} `{name}`', hint=_nearest_file(path, folder, name))
    return path, scope


def _package_configs(package: str) -> Path | None:
    if not package.isidentifier():
        return None
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations if spec else None) or ():
        configs = Path(folder) / '.mim' / 'configs'
        if configs.is_dir():
            return configs
    return None


def _nearest_file(path: Path, folder: Path, name: str) -> str:
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    places = [parent]
    if (Path.cwd() / 'configs').is_dir() and parent != Path.cwd() / 'configs':
        places.append(Path.cwd() / 'configs')
    found = []
    for place in places:
        files = place.glob('*.py') if place in (Path.cwd(), Path.home(), Path(place.anchor)) \
            else place.rglob('*.py')
        found += [file for _, file in zip(range(2000), files, strict=False)]
    by_name: dict[str, Path] = {}
    by_path: dict[str, Path] = {}
    for file in found:
        by_name.setdefault(file.name, file)
        by_path.setdefault(os.path.relpath(file, folder), file)
    wanted = os.path.relpath(path, folder)
    near = [by_path[key] for key in nearest(wanted, by_path, 6)[:1]]
    if path.name in by_name:  # the right name in the wrong folder
        near.insert(0, by_name[path.name])
    near += [by_name[key] for key in nearest(path.name, by_name, 4)[:1]]
    if not near:
        return f'no Python file below `{place_of(parent)}` has a name like it'
    shown = place_of(near[0]).file
    if not Path(name).is_absolute() and folder != Path.cwd() and '::' not in shown:
        shown = Path(os.path.relpath(near[0], folder)).as_posix()
    return f'did you mean `{shown}`?'
