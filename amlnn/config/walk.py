"""Walk a resolved config and compare every dict with what is built from it."""

from dataclasses import replace

from amlnn.config.facts import Facts
from amlnn.config.findings import Findings, UnknownKey
from amlnn.config.located import Located, Place
from amlnn.config.modules import is_installed
from amlnn.config.numbers import numbers_alone, numbers_instead
from amlnn.config.signatures import Component, Library, Parameter, Signature
from amlnn.config.structure import (
    BY_PARAMETER,
    HOOK_NAMES,
    PLAIN_TYPES,
    RESERVED_IN_DICTS,
    Slot,
    slot_of,
)
from amlnn.config.values import briefly, expected_instead, shape_instead, value_hint
from amlnn.registry import FROM_MODEL, FROM_MODEL_KEYS
from amlnn.suggest import distance, is_near, nearest

__all__ = ['Walk']

_NOUNS = {'MODELS': 'model', 'DATASETS': 'data set', 'TRANSFORMS': 'transform', 'HOOKS': 'hook',
          'OPTIMIZERS': 'optimizer', 'OPTIM_WRAPPERS': 'optimizer wrapper', 'METRICS': 'metric',
          'PARAM_SCHEDULERS': 'parameter scheduler', 'DATA_SAMPLERS': 'sampler',
          'LOOPS': 'loop', 'BATCH_AUGMENTS': 'batch augmentation', 'EVALUATOR': 'evaluator',
          'VISUALIZERS': 'visualizer', 'VISBACKENDS': 'visualizer backend',
          'WEIGHT_INITIALIZERS': 'initializer', 'FUNCTIONS': 'function',
          'OPTIM_WRAPPER_CONSTRUCTORS': 'optimizer wrapper constructor'}

# Packages whose annotations are right; MMPretrain's say `int` for what may be a tuple.
_TRUSTED = ('torch', 'mmengine', 'amlnn')
_EXACT = ('amlnn', )
# Packages whose arguments mean what their names say.
_READ = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'amlnn')
# Arguments that are one dict; and those that are dicts or lists of such in every library.
_SINGLE = ('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'worker_init_fn', 'optimizer',
           'paramwise_cfg', 'clip_grad', 'mp_cfg', 'dist_cfg', 'backbone', 'head')
_DICTS = ('backbone', 'neck', 'head', 'pipeline')
_NEEDED = ('_dataloader.dataset', 'optim_wrapper.optimizer')


class Walk:
    """One pass over one config. What a class does not take and nobody set is removed on the way.

    Args:
        library: What can be named.
        findings: Where to put what is wrong.
    """

    def __init__(self, library: Library, findings: Findings):
        self.library = library
        self.findings = findings

    def visit(self, value: object, at: str, slot: Slot, place: Place) -> None:
        """Check one value.

        Args:
            value: A dict, a list of such, or anything else, which is let pass.
            at: Its dotted key.
            slot: What is built from it.
            place: Where it was written.
        """
        if isinstance(value, list | tuple):
            for index, item in enumerate(value):
                self.visit(item, f'{at}.{index}', slot, place)
        elif not isinstance(value, Located):
            return
        elif slot.named:
            self._visit_named(value, at, slot)
        elif slot.keys is not None:
            self._visit_section(value, at, slot)
        elif 'type' in value or slot.default:
            self._visit_typed(value, at, slot, place)
        else:
            self._visit_untyped(value, at, slot, place)

    def is_section(self, value: object, at: str, place: Place, several: bool) -> bool:
        """Whether a value is a dict, where only one can be; says so where it is none.

        Args:
            value: The value; None stands for no section, where there need be none.
            at: Its dotted key.
            place: Where it was written.
            several: Whether a list of dicts may stand there too.
        """
        if isinstance(value, Located) or (value is None and not at.endswith(_NEEDED)):
            return True
        inner = Located if at.endswith('.pipeline') else Located | list | tuple | None
        if several and isinstance(value, list | tuple) \
                and all(isinstance(item, inner) for item in value):
            return True
        self.findings.add(place, f'`{at}` is {briefly(value)}, not a dict', rank=1,
                          hint=f'{at}={"[dict(...)]" if several else "dict(...)"}, or None',
                          lenient=place.shipped)
        return False

    # -- kinds of dicts

    def _visit_section(self, value: Located, at: str, slot: Slot) -> None:
        known = slot.keys or ()
        self.findings.know(at, known)
        for key, item in dict.items(value):
            if key in RESERVED_IN_DICTS:
                continue
            if key not in known:
                self._unknown(value, at, key, '', known, known, slot.guessed, True)
            elif key in slot.inner:
                if self.is_section(item, f'{at}.{key}', value.place(key),
                                   several=key not in _SINGLE):
                    self.visit(item, f'{at}.{key}', slot.inner[key], value.place(key))
            elif key == 'custom_keys':
                if self.is_section(item, f'{at}.{key}', value.place(key), several=False):
                    self._visit_custom_keys(item or Located(), f'{at}.{key}')
            else:
                self.check_plain(key, item, f'{at}.{key}', value.place(key))

    def check_plain(self, key: str, value: object, dotted: str, place: Place) -> None:
        """Check the type of a plain value that no class's signature describes."""
        if key not in PLAIN_TYPES:
            return
        parameter = Parameter(key, PLAIN_TYPES[key])
        if 'str' in PLAIN_TYPES[key] and not isinstance(value, str | int | None):
            self.findings.add(place, f'`{dotted}` is {value!r}, not a string', rank=1,
                              hint=f"{key}='...'", lenient=place.shipped)
        else:
            self._check_value(parameter, value, dotted, place, '', place.shipped, True, None)

    def _visit_custom_keys(self, value: Located, at: str) -> None:
        optimizer = self._optimizer_arguments
        known = ('lr_mult', 'decay_mult', 'lars_exclude', 'fix_lr', *optimizer)
        for name, item in dict.items(value):
            if not self.is_section(item, f'{at}.{name}', value.place(name), several=False):
                continue
            for key in item or ():
                if key not in known:
                    self._unknown(item, f'{at}.{name}', key, '', known, known[:2], True)

    _optimizer_arguments: tuple[str, ...] = ()

    def _visit_named(self, value: Located, at: str, slot: Slot) -> None:
        inner = Slot(slot.registry, extra=slot.extra)
        for key, item in dict.items(value):
            place = value.place(key)
            near = nearest(key, HOOK_NAMES, 2)
            if not self.is_section(item, f'{at}.{key}', place, several=False):
                continue
            if key not in HOOK_NAMES and near and near[0] not in value:
                self._unknown(value, at, key, '', HOOK_NAMES, HOOK_NAMES, False)
            elif key not in HOOK_NAMES and near and distance(near[0], key) == 1:
                self._unknown(value, at, key, '', HOOK_NAMES, HOOK_NAMES, place.shipped)
            elif key not in HOOK_NAMES and isinstance(item, Located) and 'type' not in item \
                    and not self._near_type(item):
                known = (*HOOK_NAMES, *(k for k in value if k != key))
                self._unknown(value, at, key, '', known, HOOK_NAMES, place.shipped)
            else:
                self.visit(item, f'{at}.{key}', inner, place)

    def _visit_untyped(self, value: Located, at: str, slot: Slot, place: Place) -> None:
        slip = self._near_type(value) or self._names_component(value, slot)
        if slip:
            self._unknown(value, at, slip, '', ('type',), ('type',), place.shipped)
            return
        if slot.registry and not slot.guessed:
            noun = _NOUNS.get(slot.registry, 'class')
            self.findings.add(
                place, f'`{at}` names no `type`', rank=2, lenient=place.shipped,
                hint=f"write type='...', the {noun} to build")
            return
        for key, item in dict.items(value):
            inner = BY_PARAMETER.get(key) or slot.inner.get(key) or Slot(slot.registry,
                                                                        guessed=True)
            self._check_reserved(value, at, key)
            self.visit(item, f'{at}.{key}', inner, value.place(key))

    def _near_type(self, value: Located) -> str:
        if 'type' in value:
            return ''
        slips = [key for key in value if distance(key, 'type', 1) == 1]
        return slips[0] if slips else ''

    def _names_component(self, value: Located, slot: Slot) -> str:
        """The key whose value is a class that could be built here: it must be `type`."""
        if not slot.registry or slot.guessed:
            return ''
        names = self.library.components.get(slot.registry, {})
        return next((key for key, item in dict.items(value)
                     if isinstance(item, str) and item in names), '')

    def _check_reserved(self, value: Located, at: str, key: str) -> None:
        if key.startswith('_') or key.endswith('_'):
            near = nearest(key, RESERVED_IN_DICTS, 2)
            if near and key not in RESERVED_IN_DICTS:
                self._unknown(value, at, key, '', RESERVED_IN_DICTS, (), False)

    # -- dicts that become objects

    def _visit_typed(self, value: Located, at: str, slot: Slot, place: Place) -> None:
        component = self._component(value, at, slot, place)
        if component is None:
            return
        signature = self.library.signature(component.module, component.local)
        facts = self.library.facts(component)
        filled = (*slot.filled, *facts.supplied)
        shown = tuple(name for name in signature.parameters if name not in filled)
        shown += tuple(name for name in slot.extra if name not in shown)
        known = ('type', *shown, *filled, *slot.inner)
        self.findings.know(at, shown)
        if at == 'optim_wrapper.optimizer':
            self._optimizer_arguments = shown
        is_open = bool(signature.open_at)
        # The optimizer first: its arguments are known in `custom_keys` too.
        for key in sorted(value, key=lambda key: key != 'optimizer'):
            if key in RESERVED_IN_DICTS or key == 'type':
                continue
            if key not in known and not self._settle(value, at, key, component, known, shown,
                                                     is_open, slot):
                continue
            self._visit_argument(value, at, key, signature, facts, slot)
        for key, partner in facts.goes_with.items():
            if wrong := numbers_alone(value, key, partner):
                where = value.place(key if value.get(key) is not None else partner)
                self.findings.add(where, f'`{at}`: {wrong}', rank=1, lenient=place.shipped, hint=
                                  f'give `{partner}` and `{key}`, as many numbers of each; or '
                                  'None for both')

    def _settle(self, value: Located, at: str, key: str, component: Component,
                known: tuple[str, ...], shown: tuple[str, ...], is_open: bool, slot: Slot) -> bool:
        """Deal with a key that the class does not name; True if the key is let pass."""
        place, dotted = value.place(key), f'{at}.{key}'
        if key in value.stale:
            self.findings.notes.append(
                f'{place}: `{dotted}` is dropped: it was inherited, and '
                f'{component.name} does not take it')
            dict.pop(value, key)
            return False
        if is_open and not is_near(key, known):
            self.findings.notes.append(
                f'{place}: `{dotted}` is not checked: nobody can tell what '
                f'{component.name}(**kwargs) takes')
            return True
        self._unknown(value, at, key, component.name, known, shown, slot.guessed)
        return False

    def _visit_argument(self, value: Located, at: str, key: str, signature: Signature,
                        facts: Facts, slot: Slot) -> None:
        item, place, dotted = value[key], value.place(key), f'{at}.{key}'
        parameter = signature.parameters.get(key)
        if parameter is not None and key not in slot.inner:
            self._check_value(parameter, item, dotted, place, signature.name,
                              place.shipped or slot.guessed, signature.package in _TRUSTED,
                              facts.smallest.get(key), signature.package in _EXACT)
            if key in facts.above and (wanted := numbers_instead(item, facts.above[key])):
                hint = f"give {wanted}, or '{FROM_MODEL}' for what its weights were trained with" \
                    if key in FROM_MODEL_KEYS else f'give {wanted}'
                self._add_value(item, dotted, place, signature.name, wanted, hint,
                                place.shipped or slot.guessed)
        if key == 'constructor':
            self._check_name('OPTIM_WRAPPER_CONSTRUCTORS', item, dotted, place)
        if key in facts.builds:
            inner = slot_of(facts.builds[key])
            if inner is None:
                return
        else:
            inner = slot.inner.get(key) or BY_PARAMETER.get(key) \
                or Slot(slot.registry, guessed=True)
            if (key in slot.inner or (key in _DICTS and signature.package in _READ)) \
                    and not self.is_section(item, dotted, place, several=key not in _SINGLE):
                return
            if signature.package not in _READ and key not in slot.inner:
                inner = replace(inner, guessed=True)  # a user's class may mean what it likes
        if isinstance(item, Located) and 'type' not in item and key in signature.types:
            inner = Slot(inner.registry, default=signature.types[key])
        self.visit(item, dotted, inner, place)

    def _check_value(self, parameter: Parameter, value: object, dotted: str, place: Place,
                     owner: str, lenient: bool, trusted: bool, smallest: int | None,
                     exact: bool = False) -> None:
        if value == FROM_MODEL and parameter.name in FROM_MODEL_KEYS:
            return
        expected = expected_instead(parameter, value, trusted) \
            or (shape_instead(parameter, value) if exact else '')
        if not expected and smallest is not None and isinstance(value, int) and value < smallest:
            expected = f'numbers from {smallest}'
        if expected:
            self._add_value(value, dotted, place, owner, expected,
                            value_hint(parameter.name, value, expected), lenient)

    def _add_value(self, value: object, dotted: str, place: Place, owner: str, expected: str,
                   hint: str, lenient: bool) -> None:
        said = f'{owner} takes {expected}' if owner else f'it has to be {expected}'
        self.findings.add(place, f'`{dotted}` is {briefly(value)}, and {said}', rank=1, hint=hint,
                          lenient=lenient)

    def _component(self, value: Located, at: str, slot: Slot, place: Place) -> Component | None:
        """The class that `value` names; None after saying that there is none."""
        if 'type' not in value:
            if isinstance(slot.default, tuple):
                return Component('', slot.default[1], *slot.default)
            instead = [name for key, name in slot.default_without.items()
                       if value.get(key) is False]
            return self.library.find(slot.registry, (*instead, slot.default)[0])
        if isinstance(slot.default, tuple) and not slot.registry:  # nothing looks for another
            taken = tuple(self.library.signature(*slot.default).parameters)
            self._unknown(value, at, 'type', slot.default[1], taken, taken, False)
            return None
        if at.endswith('_evaluator') and 'metrics' in value:
            slot = Slot('EVALUATOR')
        name, place = value['type'], value.place('type') if value.place('type').file else place
        if slot.registry == 'LOOPS' and 'by_epoch' in value.stale:
            dict.pop(value, 'by_epoch')  # the class says it
        if slot.registry == 'LOOPS' and 'by_epoch' in value:
            self.findings.add(value.place('by_epoch'),
                              f'`{at}` has both `type` and `by_epoch`, MMEngine takes one',
                              hint='remove `by_epoch`: the loop\'s class says it', rank=1,
                              lenient=place.shipped)
        if not isinstance(name, str):
            if not isinstance(name, type):
                self.findings.add(place, f'`{at}.type` is {name!r}, not a name', rank=1,
                                  hint="write the class's name as a string")
                return None
            name = f'{name.__module__}.{name.__qualname__}'
        for package in (value.get('_scope_'), name.rpartition('.')[0].partition('.')[0]):
            if isinstance(package, str) and package not in ('', *self.library.packages) \
                    and not slot.guessed:
                self._other_package(package, name, at, place)
                return None
        component = self.library.find(slot.registry, name) if slot.registry else None
        if component is None and (slot.guessed or not slot.registry):
            component = self.library.find_anywhere(name)
            if component is None:
                self._check_guessed(name, slot, at, place)
                return None
        if component is None:
            self._no_component(slot.registry, name, f'{at}.type', place, slot.guessed)
        elif component.needs:
            self.findings.add(
                place, f'`{at}.type` is `{name}`, which needs {" and ".join(component.needs)}: '
                'not installed', hint=f'pip install {" ".join(component.needs)}')
            return None
        else:
            self._say_unread(component, at, place)
        return component

    def _say_unread(self, component: Component, at: str, place: Place) -> None:
        """Say what a user's class declares in a way that nobody can read."""
        if component.module.partition('.')[0] not in _READ:
            for name in self.library.facts(component).unread:
                self.findings.notes.append(
                    f'{place}: `{at}` is {component.name}, whose `{name}` declares nothing: write '
                    'the value out, as CONTRIBUTING.md says')

    def _other_package(self, package: str, name: str, at: str, place: Place) -> None:
        """Deal with a class of a package whose source is not read."""
        if is_installed(package):
            self.findings.notes.append(f'{place}: `{at}` is not checked: {name} is of the package '
                                       f'{package}')
        else:
            self.findings.add(place, f'`{at}.type` is `{name}`, of the package {package}: not '
                              'installed', hint=f'pip install {package}')

    def _check_guessed(self, name: str, slot: Slot, at: str, place: Place) -> None:
        near = nearest(name, self.library.names(slot.registry), 1) if len(name) > 3 else []
        if near and slot.registry:
            self._no_component(slot.registry, name, f'{at}.type', place, False)

    def _check_name(self, registry: str, name: object, dotted: str, place: Place) -> None:
        if isinstance(name, str) and self.library.find(registry, name) is None:
            self._no_component(registry, name, dotted, place, False)

    def _no_component(self, registry: str, name: str, dotted: str, place: Place,
                      guessed: bool) -> None:
        noun = _NOUNS.get(registry, registry.lower())
        names = self.library.names(registry)
        near = nearest(name, names) or nearest(name, names, max(2, len(name) // 4))
        elsewhere = self.library.find_anywhere(name)
        article = 'an' if noun[0] in 'aeiou' else 'a'
        if near:
            hint = f'did you mean `{near[0]}`?'
        elif elsewhere is not None:
            kind = _NOUNS.get(elsewhere.registry, 'class')
            hint = f'`{name}` is a {kind}; {article} {noun} is, for one, `{names[0]}`' if names \
                else f'`{name}` is a {kind}'
        else:
            hint = 'a class of your own is found once its module stands in ' \
                   "custom_imports=dict(imports=['...'])"
        self.findings.add(place, f'`{dotted}` is `{name}`, and no {noun} has that name',
                          hint=hint, lenient=guessed and not near)

    def _unknown(self, value: Located, at: str, key: str, owner: str, known: tuple[str, ...],
                 shown: tuple[str, ...], lenient: bool, ignored: bool = False) -> None:
        self.findings.unknown.append(UnknownKey(
            value.place(key), at, key, owner, tuple(known), tuple(shown), lenient,
            value if ignored else None))
