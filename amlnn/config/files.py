"""Config files on the disk: how they are found, what they are called, which one was meant."""

import importlib.util
import os
from pathlib import Path

from amlnn.config.located import Place
from amlnn.errors import ConfigError
from amlnn.suggest import nearest

__all__ = ['find_file', 'own_folder', 'place_of', 'resolve', 'shipped_folder']

OWN = 'amlnn'
_PACKAGE = Path(__file__).parents[1]


def own_folder() -> Path | None:
    """The folder of amlnn's own configs: in a wheel inside the package, else the checkout's.

    >>> (own_folder() / 'resnet50_frozen3.py').is_file()
    True
    """
    if _in_wheel().is_dir():
        return _in_wheel()
    folder = _PACKAGE.parent / 'configs'
    return folder if (folder / '_base_').is_dir() else None


def _in_wheel() -> Path:
    return _PACKAGE / '.mim' / 'configs'


def shipped_folder() -> Path | None:
    """The folder of the configs that the installed MMPretrain ships, or None without it.

    >>> (shipped_folder() / 'resnet/resnet50_8xb32_in1k.py').is_file()
    True
    """
    return _package_configs('mmpretrain')


def place_of(path: Path) -> Place:
    """How `path` is shown: relative to a package's configs or to the working folder.

    A checkout's configs are files like others for who works in it. MMPretrain's alone may hold
    keys that nobody knows.

    >>> str(place_of(Path.cwd() / 'configs/small.py'))
    'configs/small.py'
    >>> str(place_of(shipped_folder() / 'resnet/resnet50_8xb32_in1k.py'))
    'mmpretrain::resnet/resnet50_8xb32_in1k.py'
    """
    shipped, own, folder = shipped_folder(), own_folder(), Path.cwd()
    if shipped is not None and path.is_relative_to(shipped):
        return Place(f'mmpretrain::{path.relative_to(shipped).as_posix()}', shipped=True)
    near = path.is_relative_to(folder)
    if own is not None and path.is_relative_to(own) and (own == _in_wheel() or not near):
        return Place(f'{OWN}::{path.relative_to(own).as_posix()}')
    return Place((path.relative_to(folder) if near else path).as_posix())


def resolve(name: str | Path, folder: Path | None = None) -> Path | None:
    """The path that a name of a file or folder of configs means, be it there or not.

    Args:
        name: A path, or 'package::path below its configs'.
        folder: Where the name was written; by default the working folder.

    Returns:
        An absolute path; None if the package is not there or ships no configs.

    >>> resolve('small.py', Path('/configs/series'))
    PosixPath('/configs/series/small.py')
    >>> resolve('mmpretrain::resnet/resnet50_8xb32_in1k.py').is_file()
    True
    >>> resolve('no_such_package::small.py')
    """
    package, colons, relative = str(name).partition('::')
    if not colons:
        return Path(os.path.normpath((folder or Path.cwd()) / Path(name).expanduser()))
    root = _package_configs(package)
    return root and Path(os.path.normpath(root / relative))


def find_file(name: str, folder: Path, where: str = '') -> tuple[Path, str | None]:
    """Find the file that `name` means.

    Args:
        name: A path, absolute or relative to `folder`, or 'package::path below its configs'.
        folder: Where the name was written.
        where: 'file:line: ' of a `_base_` that names it, '' for the command line.

    Returns:
        The absolute path, and the package whose classes it means, if one but amlnn was given.

    Raises:
        ConfigError: there is no such file; the hint names the nearest one.

    >>> path = write('configs/small.py', '')
    >>> find_file('small.py', Path.cwd() / 'configs')[0] == Path.cwd() / path
    True
    >>> find_file('smal.py', Path.cwd() / 'configs')
    Traceback (most recent call last):
        ...
    amlnn.errors.ConfigError: no config file `smal.py`
    """
    scope = name.partition('::')[0] if '::' in name else None
    try:
        path = resolve(name, folder)
        there = path is not None and path.is_file()
    except (ValueError, RuntimeError):  # a NUL in it; `~somebody` who is not there
        raise ConfigError(f'{where}`{name}` can be no path',
                          hint='write the file out: configs/a.py') from None
    if path is None:
        near = nearest(str(scope), [OWN, 'mmpretrain'], 3)
        raise ConfigError(f'{where}`{name}` needs the package {scope}, which is not installed '
                          'or ships no configs', hint=f'did you mean `{near[0]}::...`?'
                          if near else f'pip install {scope}')
    if path.suffix not in ('.py', '.json', '.yaml', '.yml'):
        other = Path(f'{path}.py')
        hint = f'did you mean `{name}.py`?' if other.is_file() else \
            'a config is a Python file, or one of JSON or YAML'
        raise ConfigError(f'{where}`{name}` is not a Python file', hint=hint)
    if not there:
        what = 'no base file' if where else 'no config file'
        raise ConfigError(f'{where}{what} `{name}`', hint=_nearest_file(path, folder, name))
    return path, None if scope == OWN else scope


def _package_configs(package: str) -> Path | None:
    if package == OWN:
        return own_folder()
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
    own = {file.name: file for file in sorted((own_folder() or parent).rglob('*.py'))}
    if path.name in by_name | own:  # the right name in the wrong folder
        near.insert(0, (own | by_name)[path.name])
    near += [by_name[key] for key in nearest(path.name, by_name, 4)[:1]]
    near += [own[key] for key in nearest(path.name, own)[:1]]
    if not near:
        return f'no Python file below `{place_of(parent)}` has a name like it'
    shown = place_of(near[0]).file
    package = name.partition('::')[0]
    root = resolve(f'{package}::') if '::' in name else None
    if root is not None and near[0].is_relative_to(root):
        shown = f'{package}::{near[0].relative_to(root).as_posix()}'
    elif not Path(name).is_absolute() and folder != Path.cwd() and '::' not in shown:
        shown = Path(os.path.relpath(near[0], folder)).as_posix()
    return f'did you mean `{shown}`?'
