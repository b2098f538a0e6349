"""Which classes a config can name, and which arguments each takes, without importing any."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from amlnn.config.facts import NO_FACTS, Facts, gather
from amlnn.config.library_facts import (
    ACTIVATION_MODULE,
    ACTIVATIONS,
    CLOSED,
    COMPUTED,
    FACTS,
    OPTIMIZER_NAMES,
)
from amlnn.config.modules import is_installed, read_modules
from amlnn.config.own_modules import OwnModule, belonging, custom_modules, source_files
from amlnn.config.scan import Call, Module

__all__ = ['Component', 'Library', 'Parameter', 'Signature', 'library', 'library_of']

# Bases whose constructors take nothing that a config could give.
_CLOSED_BASES = ('object', 'Generic', 'Protocol', 'dict', 'list', 'tuple', 'Exception')


@dataclass(frozen=True)
class Parameter:
    """One argument of a class: its annotation and default as written, None where there is none."""

    name: str
    annotation: str | None = None
    default: str | None = None


@dataclass(frozen=True)
class Component:
    """A class or function that a config can name."""

    registry: str
    name: str
    module: str
    local: str
    needs: tuple[str, ...] = ()
    """Packages it needs that are not installed."""


@dataclass
class Signature:
    """What a class takes."""

    name: str
    package: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    open_at: str = ''
    """The class whose `**kwargs` go where nobody can follow them; '' where all is known."""
    types: dict[str, str] = field(default_factory=dict)
    """The `type` that a dict argument gets where it names none."""


@lru_cache(maxsize=8)
def _library(own: tuple[OwnModule, ...], stamp: tuple[tuple[str, int], ...]) -> 'Library':
    return Library(read_modules(own), own)


def library(own: tuple[OwnModule, ...] = ()) -> 'Library':
    """All that can be named, read once a process, and again where a user's module changed.

    Args:
        own: A user's own modules (`custom_imports`).

    >>> library().find('MODELS', 'ResNet').module
    'mmpretrain.models.backbones.resnet'
    >>> library().signature('torch.optim.sgd', 'SGD').parameters['lr'].default
    '0.001'
    """
    files = [file for module in own for path in belonging(module) for file in source_files(path)]
    return _library(own, tuple((str(file), file.stat().st_mtime_ns) for file in files))


def library_of(config: Mapping[str, Any]) -> 'Library':
    """All that a config can name: its `custom_imports` are read too.

    >>> library_of({}) is library()
    True
    """
    return library(custom_modules(config))


class Library:
    """Modules by dotted name, as `scan_module` describes them; a user's own come last."""

    def __init__(self, modules: dict[str, Module], own: tuple[OwnModule, ...] = ()):
        self.modules = modules
        self.own = own
        # A module beside a user's own is found once that one is imported.
        self._tops = {name.partition('.')[0] for name in modules}
        self._signatures: dict[tuple[str, str], Signature] = {}
        self._facts: dict[tuple[str, str, str], Facts] = {}
        # By registry, package and name: two packages may have a class of one name.
        self._scoped: dict[tuple[str, str, str], Component] = {}

    @cached_property
    def components(self) -> dict[str, dict[str, Component]]:
        """Registry name to registered name to component."""
        found: dict[str, dict[str, Component]] = {}
        gated = self._gated()
        for module, content in self.modules.items():
            for registry, name, local in content['registered']:
                needs = self._needs(module, name, gated)
                component = Component(registry, name, module, local, needs)
                found.setdefault(registry, {})[name] = component
                self._scoped[registry, module.partition('.')[0], name] = component
        self._add_by_loops(found)
        return found

    def find(self, registry: str, name: str) -> Component | None:
        """The component that `type=name` means where `registry` builds, or None.

        A name may carry its package ('mmpretrain.ResNet') or be a path ('torch.nn.ReLU').
        """
        known = self.components.get(registry, {})
        if name in known:
            return known[name]
        scope, _, short = name.partition('.')
        if (registry, scope, short) in self._scoped:
            return self._scoped[registry, scope, short]
        if short in known and known[short].module.partition('.')[0] in (scope, 'mmengine', 'mmcv',
                                                                        'torch', 'amlnn'):
            return known[short]
        module, _, local = name.rpartition('.')
        if module:
            place = self._resolve(module, local) or self._by_name(module.partition('.')[0], local)
            if place:
                return Component(registry, name, *place)
        return None

    @cached_property
    def packages(self) -> set[str]:
        """The packages that were read."""
        return {module.partition('.')[0] for module in self.modules}

    def find_anywhere(self, name: str) -> Component | None:
        """The component called `name` in whichever registry has it."""
        for known in self.components.values():
            if name in known:
                return known[name]
        return None

    def names(self, registry: str) -> list[str]:
        """All names that `registry` builds."""
        return list(self.components.get(registry, {}))

    def signature(self, module: str, local: str) -> Signature:
        """What the class or function `local` of `module` takes."""
        key = (module, local)
        if key not in self._signatures:
            self._signatures[key] = self._read_signature(module, local)
        return self._signatures[key]

    def facts(self, component: Component) -> Facts:
        """What a class and its bases declare of themselves."""
        place = self._place(component.module, component.local)
        key = (component.registry, *place)
        if key not in self._facts:
            self._facts[key] = gather((self._declared(*each) for each in self._mro(place)),
                                      component.registry)
        return self._facts[key]

    def facts_of(self, registry: str, name: object) -> Facts:
        """What the class that `type=name` means declares; nothing where there is no such class."""
        component = self.find(registry, name) if isinstance(name, str) else None
        return NO_FACTS if component is None else self.facts(component)

    def _declared(self, module: str, local: str) -> dict[str, object]:
        """What stands beside one class, or for a library's class in the table."""
        own = self.modules[module]['classes'][local].get('facts', {})
        return {**own, **FACTS.get(f'{module.partition(".")[0]}.{local}', {})}

    # -- names to classes

    def _place(self, module: str, local: str) -> tuple[str, str]:
        return self._resolve(module, local) or (module, local)

    def _resolve(self, module: str, name: str, depth: int = 0) -> tuple[str, str] | None:
        """Where `name`, as read in `module`, is defined."""
        content = self.modules.get(module)
        if depth > 12:
            return None
        head, _, rest = name.partition('.')
        if content is None:
            return None
        if name in content['classes'] or name in content['functions']:
            return module, name
        if head in content['imports']:
            target = content['imports'][head] + (f'.{rest}' if rest else '')
            return self._resolve_path(target, depth + 1)
        if head in COMPUTED:
            return COMPUTED[head]
        for star in content['stars']:
            found = self._resolve(star, name, depth + 1)
            if found:
                return found
        return None

    def _resolve_path(self, path: str, depth: int = 0) -> tuple[str, str] | None:
        module, _, local = path.rpartition('.')
        while module:
            if module in self.modules:
                found = self._resolve(module, local, depth)
                if found:
                    return found
            module, _, head = module.rpartition('.')
            local = f'{head}.{local}'
        package, _, last = path.partition('.')[0], None, path.rpartition('.')[2]
        return self._by_name(package, last)

    def _by_name(self, package: str, local: str) -> tuple[str, str] | None:
        """Of packages read in part, re-exports are unknown: go by the class's own name."""
        if package not in ('torch', 'torchvision'):
            return None
        return self._torch_names.get((package, local))

    @cached_property
    def _torch_names(self) -> dict[tuple[str, str], tuple[str, str]]:
        return {(module.partition('.')[0], local): (module, local)
                for module, content in self.modules.items()
                if module.startswith(('torch.', 'torchvision.')) for local in content['classes']}

    # -- classes to signatures

    def _mro(self, place: tuple[str, str], depth: int = 0) -> list[tuple[str, str]]:
        """The classes behind `place` in the order Python asks them; unknown ones left out."""
        module, local = place
        content = self.modules.get(module)
        if content is None or local not in content['classes'] or depth > 30:
            return []
        parents = [found for base in content['classes'][local]['bases']
                   if (found := self._resolve(module, base))]
        lines = [self._mro(parent, depth + 1) for parent in parents] + [parents]
        result = [place]
        while lines := [line for line in lines if line]:
            head = next((line[0] for line in lines
                         if not any(line[0] in other[1:] for other in lines)), lines[0][0])
            result.append(head)
            lines = [[item for item in line if item != head] for line in lines]
        return result

    def _unknown_base(self, mro: list[tuple[str, str]]) -> str:
        for module, local in mro:
            for base in self.modules[module]['classes'][local]['bases']:
                root = self.modules[module]['imports'].get(base.partition('.')[0], base)
                if base.rpartition('.')[2] in _CLOSED_BASES or self._resolve(module, base) \
                        or root.partition('.')[0] in sys.stdlib_module_names:
                    continue
                return base
        return ''

    def _read_signature(self, module: str, local: str) -> Signature:
        place = self._place(module, local)
        content = self.modules.get(place[0])
        if content and local in content['functions'] and place == (module, local):
            result = Signature(local, place[0].partition('.')[0])
            self._add(result, content['functions'][local], [], place[0], 0, ())
            return result
        result = Signature(place[1], place[0].partition('.')[0])
        mro = self._mro(place)
        if not mro:
            result.open_at = local
            return result
        self._add_from(result, mro, 0, ())
        return result

    def _add_from(self, result: Signature, mro: list[tuple[str, str]], skip: int,
                  given: Iterable[str]) -> None:
        for index, (module, local) in enumerate(mro):
            entry = self.modules[module]['classes'][local]
            if f'{module}:{local}' in CLOSED:
                return
            if 'init' in entry:
                open_at = result.open_at
                self._add(result, entry['init'], mro[index + 1:], module, skip, given)
                more = gather([self._declared(module, local)], '').also_takes
                if more:  # then that is all
                    result.open_at = open_at
                    for name in more:
                        result.parameters.setdefault(name, Parameter(name))
                if entry['init'].get('dataclass'):
                    self._add_from(result, mro[index + 1:], 0, ())
                return
        result.open_at = result.open_at or self._unknown_base(mro)

    def _add(self, result: Signature, init: Call, rest: list[tuple[str, str]], module: str,
             skip: int, given: Iterable[str]) -> None:
        for name, annotation, default in init['args'][skip:]:
            if name not in given:
                result.parameters.setdefault(name, Parameter(name, annotation, default))
        for name, type_name in init.get('types', {}).items():
            result.types.setdefault(name, type_name)
        for kind, *details in init.get('kwargs', ()):
            if kind == 'key':
                result.parameters.setdefault(details[0], Parameter(details[0]))
            elif kind == 'open':
                result.open_at = result.open_at or details[0]
            elif kind == 'super':
                if rest:
                    self._add_from(result, rest, details[0], details[1])
                else:
                    result.open_at = result.open_at or result.name
            else:
                target = self._resolve(module, details[0])
                self._add_target(result, target, details[1], details[2], details[0])

    def _add_target(self, result: Signature, target: tuple[str, str] | None, skip: int,
                    given: Iterable[str], shown: str) -> None:
        if target is None:
            result.open_at = result.open_at or shown or result.name
            return
        module, local = target
        if local in self.modules[module]['functions']:
            self._add(result, self.modules[module]['functions'][local], [], module, skip, given)
        else:
            self._add_from(result, self._mro(target), skip, given)

    # -- what registers itself in ways that no decorator shows

    def _add_by_loops(self, found: dict[str, dict[str, Component]]) -> None:
        models = found.setdefault('MODELS', {})
        for name in ACTIVATIONS:
            models.setdefault(name, Component('MODELS', name, ACTIVATION_MODULE, name))
        optimizers = found.setdefault('OPTIMIZERS', {})
        for (package, local), (module, _) in self._torch_names.items():
            if package == 'torch' and module.startswith('torch.optim.') \
                    and self.modules['torch.optim']['imports'].get(local):
                name = OPTIMIZER_NAMES.get(local, local)
                optimizers.setdefault(name, Component('OPTIMIZERS', name, module, local))
            if package == 'torchvision' and local[0].isupper():
                name = f'torchvision/{local}'
                found.setdefault('TRANSFORMS', {})[name] = Component(
                    'TRANSFORMS', name, module, local)

    def _gated(self) -> tuple[str, ...]:
        return tuple(name for module, content in self.modules.items()
                     if module.startswith('mmpretrain') for name in content['gated'])

    def _needs(self, module: str, name: str, gated: tuple[str, ...]) -> tuple[str, ...]:
        if module.startswith('mmcv.ops'):
            return ("mmcv's compiled operators",)
        needs = {need for need in self.modules[module]['needs']
                 if need not in self._tops and not is_installed(need)}
        if name in gated or any('.' in g and module.startswith(g) for g in gated):
            needs.update(need for need in ('transformers', 'pycocotools') if not is_installed(need))
        return tuple(sorted(needs))
