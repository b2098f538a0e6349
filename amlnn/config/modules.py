"""The source of all that a config can name, read without importing it, and the cache of that.

Packages are cached on disk by name and version; amlnn's and a user's own modules are read anew.
"""

import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from amlnn.config.own_modules import OwnModule, belonging, module_path, source_files
from amlnn.config.scan import SCAN_VERSION, Module, scan_module
from amlnn.foreign_texts import parse_json
from amlnn.registry import COMPONENT_MODULES
from amlnn.user_cache import read_cached, write_cached

__all__ = ['is_installed', 'read_modules']

# Distribution, package, and the parts of it that are read.
_PACKAGES = (
    ('onedl-mmengine', 'mmengine', ('',)),
    ('onedl-mmcv', 'mmcv', ('',)),
    ('onedl-mmpretrain', 'mmpretrain', ('',)),
    ('torch', 'torch', ('optim', 'nn/modules', 'utils/data', 'nn/parallel', 'distributed/optim')),
    ('torchvision', 'torchvision', ('transforms/transforms.py', 'transforms/autoaugment.py')),
)

# Files of a package from which on only those are read that register something: all of torch, which
# `custom_imports` may well name, takes half a minute to parse.
_LARGE = 500


def read_modules(own: tuple[OwnModule, ...] = ()) -> dict[str, Module]:
    """All modules that register something a config can name, as `scan_module` describes them.

    Args:
        own: A user's own modules (`custom_imports`); they come last.

    >>> modules = read_modules()
    >>> modules['mmpretrain.models.backbones.resnet']['classes']['ResNetV1d']['bases']
    ['ResNet']
    """
    modules: dict[str, Module] = {}
    for distribution, package, parts in _PACKAGES:
        modules.update(_package_modules(distribution, package, parts))
    _read_with_bases(COMPONENT_MODULES, OwnModule(''), modules)
    for module in own:
        _read_own(module, modules)
    return modules


def _read_own(own: OwnModule, modules: dict[str, Module]) -> None:
    """Read a module of one's own, and those of its folder that it imports."""
    _read_with_bases([str(own)], own, modules)
    for path in belonging(own)[1:]:
        for name, file in _files(path, path.stem):
            modules.setdefault(name, scan_module(file, name))


def _read_with_bases(names: Iterable[str], beside: OwnModule, modules: dict[str, Module]) -> None:
    """Read modules, and those that their classes' bases and their loaders come from."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:  # nothing was found under it, or of a large package only what registers
            continue
        seen.add(name)
        found = _own_modules(name, beside)
        modules.update(found)
        waiting += [other for module, content in found.items()
                    for other in (*_modules_of_bases(module, content), *_loaders(content))
                    if other not in modules]


def _modules_of_bases(module: str, content: Module) -> set[str]:
    """The modules of its package, and amlnn's, from which a module's classes take their bases."""
    heads = {base.partition('.')[0] for entry in content['classes'].values()
             for base in entry['bases']}
    paths = {content['imports'][head] for head in heads if head in content['imports']}
    package = module.partition('.')[0]
    return {path.rpartition('.')[0] for path in paths
            if path.startswith((f'{package}.', 'amlnn.'))}


def _loaders(content: Module) -> set[str]:
    """The modules of the loaders that a module's data sets declare to need."""
    loaders = (entry.get('facts', {}).get('loader') for entry in content['classes'].values())
    return {loader[0] for loader in loaders
            if isinstance(loader, list | tuple) and loader and isinstance(loader[0], str)}


@cache
def is_installed(package: str) -> bool:
    """Whether `import package` would find something.

    >>> is_installed('numpy'), is_installed('no_such_package')
    (True, False)
    """
    if package in sys.modules or package in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _package_modules(distribution: str, package: str, parts: tuple[str, ...]) -> dict[str, Module]:
    try:
        spec = importlib.util.find_spec(package)
        version = importlib.metadata.version(distribution)
    except (ImportError, ValueError):
        return {}
    if spec is None or not spec.submodule_search_locations:
        return {}
    root = Path(next(iter(spec.submodule_search_locations)))
    file = f'{package}-{version}-{SCAN_VERSION}.json'
    cached = _read_cache(file, str(root))
    if cached is None:
        cached = {}
        for part in parts:
            top = root / part
            for path in [top] if top.suffix == '.py' else sorted(top.rglob('*.py')):
                inner = path.relative_to(root).with_suffix('').parts
                if inner[0] not in ('.mim', 'testing'):
                    name = '.'.join((package, *(p for p in inner if p != '__init__')))
                    cached[name] = scan_module(path, name)
        write_cached('signatures', file, json.dumps(
            {'root': str(root), 'modules': cached}, separators=(',', ':')))
    return cached


def _own_modules(name: str, beside: OwnModule) -> dict[str, Module]:
    """A module that changes with its file, and all modules of a package.

    `find_spec` would import the package above it, and with it perhaps torch.

    Args:
        name: Dotted.
        beside: The user's module that it belongs to; an empty name for amlnn's own.
    """
    top, *inner = name.split('.')
    module = OwnModule(top)
    if module_path(top, Path(beside.folder or '/')):
        module.folder = beside.folder
    path = module.path
    if path is None:
        return {}
    if path.is_file():
        return {top: scan_module(path, top)}
    path = path.joinpath(*inner)
    if path.with_suffix('.py').is_file() and inner:
        return {name: scan_module(path.with_suffix('.py'), name)}
    files = list(_files(path, name))
    if len(files) > _LARGE:
        files = [each for each in files if _registers(each[1])]
    return {dotted: scan_module(file, dotted) for dotted, file in files}


def _registers(file: Path) -> bool:
    with suppress(OSError):
        return b'register_module' in file.read_bytes()
    return False


def _files(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    """The modules of a file or package, and the file of each."""
    for file in source_files(path):
        parts = file.relative_to(path).with_suffix('').parts if path.is_dir() else ()
        yield '.'.join((name, *(part for part in parts if part != '__init__'))), file


def _read_cache(name: str, root: str) -> dict[str, Module] | None:
    try:
        content = parse_json(read_cached('signatures', name) or '')
        return content['modules'] if content['root'] == root else None
    except (ValueError, KeyError, TypeError):
        return None
