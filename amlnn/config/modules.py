"""The source of all that a config can name, read without importing it, and the cache of that.

Packages are cached on disk by name and version; amlnn's and a user's own modules are read anew.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from amlnn.atomic import write_text
from amlnn.config.scan import SCAN_VERSION, Module, scan_module
from amlnn.registry import COMPONENT_MODULES
from amlnn.user_cache import cache_folder

__all__ = ['custom_modules', 'is_installed', 'read_modules']

# Distribution, package, and the parts of it that are read.
_PACKAGES = (
    ('onedl-mmengine', 'mmengine', ('',)),
    ('onedl-mmcv', 'mmcv', ('',)),
    ('onedl-mmpretrain', 'mmpretrain', ('',)),
    ('torch', 'torch', ('optim', 'nn/modules', 'utils/data', 'nn/parallel', 'distributed/optim')),
    ('torchvision', 'torchvision', ('transforms/transforms.py', 'transforms/autoaugment.py')),
)


def read_modules(extra_modules: tuple[str, ...] = ()) -> dict[str, Module]:
    """All modules that register something a config can name, as `scan_module` describes them.

    Args:
        extra_modules: Dotted names of a user's own modules (`custom_imports`).

    >>> modules = read_modules()
    >>> modules['mmpretrain.models.backbones.resnet']['classes']['ResNetV1d']['bases']
    ['ResNet']
    """
    modules: dict[str, Module] = {}
    for distribution, package, parts in _PACKAGES:
        modules.update(_package_modules(distribution, package, parts))
    waiting = [*COMPONENT_MODULES, *extra_modules]
    while waiting:
        found = _own_modules(waiting.pop())
        modules.update(found)
        waiting += [name for module, content in found.items()
                    for name in (*_modules_of_bases(module, content), *_loaders(content))
                    if name not in modules]
    return modules


def custom_modules(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules of a config's `custom_imports` that are not read anyway.

    >>> custom_modules({'custom_imports': {'imports': ['mmpretrain.models', 'own.models']}})
    ('own.models',)
    """
    section = config.get('custom_imports')
    names = section.get('imports', ()) if isinstance(section, dict) else ()
    names = [names] if isinstance(names, str) else names
    return tuple(name for name in names or () if isinstance(name, str)
                 and not _is_read_anyway(name))


def _is_read_anyway(name: str) -> bool:
    return name.partition('.')[0] in ('mmengine', 'mmcv', 'mmpretrain') \
        and importlib.util.find_spec(name.partition('.')[0]) is not None


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
    file = cache_folder() / 'signatures' / f'{package}-{version}-{SCAN_VERSION}.json'
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
        _write_cache(file, str(root), cached)
    return cached


def _own_modules(name: str) -> dict[str, Module]:
    """A module that changes with its file, and all modules of a package.

    `find_spec` would import the package above it, and with it perhaps torch.
    """
    package, *inner = name.split('.')
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return {}
    if spec is None:
        return {}
    folders = list(spec.submodule_search_locations or ())
    if not folders:
        return {package: scan_module(Path(spec.origin), package)} if spec.origin else {}
    path = Path(folders[0]).joinpath(*inner)
    found = {}
    if path.with_suffix('.py').is_file() and inner:
        found[name] = scan_module(path.with_suffix('.py'), name)
    elif path.is_dir():
        for file in sorted(path.rglob('*.py')):
            parts = [p for p in file.relative_to(path).with_suffix('').parts if p != '__init__']
            dotted = '.'.join((name, *parts))
            found[dotted] = scan_module(file, dotted)
    return found


def _read_cache(file: Path, root: str) -> dict[str, Module] | None:
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
        return content['modules'] if content['root'] == root else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_cache(file: Path, root: str, modules: dict[str, Module]) -> None:
    # A home that cannot be written to costs time, nothing else.
    with contextlib.suppress(OSError):
        write_text(file, json.dumps({'root': root, 'modules': modules}, separators=(',', ':')))
