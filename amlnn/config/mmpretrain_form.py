"""A config as MMPretrain reads it, and back.

amlnn's keys inside `model` make MMPretrain's builders fail. So `config.py` of a run of images says
what MMPretrain reads, and beside that, under the key `amlnn`, what amlnn reads in place of it:

    model = dict(type='ImageClassifier', ..., head=dict(type='LinearClsHead', num_classes=3))
    custom_imports = dict(imports=['amlnn.data.images.folder'], allow_failed_imports=True)
    amlnn = dict(
        keys={'model.frozen_stages': 3},
        without=['model.head.num_classes', 'custom_imports'])

The experiment, its hash and its identity are of what amlnn reads.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from amlnn.config.located import Located, located
from amlnn.config.resolved import FOLDED, fold_back, resolved_text
from amlnn.config.signatures import Library, library_of
from amlnn.errors import ConfigError
from amlnn.registry import MODEL_KEYS, VALIDATION_LOSS

__all__ = ['exported_text', 'for_mmpretrain', 'stored_text', 'unfold']


def stored_text(config: Mapping[str, Any], classes: int | None,
                filled: Mapping[str, Any] | None = None) -> str:
    """What config.py of a run has: MMPretrain reads it as it is, and amlnn as `config`.

    Args:
        config: A resolved config.
        classes: How many the model has, where the config does not say.
        filled: The config with what follows from its model, which MMPretrain asks for.

    >>> print(stored_text({'model': {'type': 'ImageClassifier', 'frozen_stages': 3}}, 2), end='')
    model = dict(type='ImageClassifier')
    default_scope = 'mmpretrain'
    # What amlnn reads in place of what stands above.
    amlnn = dict(keys={'model.frozen_stages': 3}, without=['default_scope'])
    """
    form = for_mmpretrain(filled or config, classes)
    keys, without = {}, []
    for dotted, value in _differences(config, form, ''):
        if value is _ABSENT:
            without.append(dotted)
        else:
            keys[dotted] = value
    kept = {FOLDED: {'keys': keys, 'without': without}}
    return resolved_text(form) + '# What amlnn reads in place of what stands above.\n' \
        + resolved_text(kept)


def exported_text(config: Mapping[str, Any], classes: int | None) -> tuple[str, list[str]]:
    """A config for MMPretrain's own tools, and lines that say what they will do otherwise.

    Args:
        config: A resolved config.
        classes: As of `stored_text`.

    >>> text, notes = exported_text({'model': {'type': 'ImageClassifier', 'frozen_stages': 3}}, 2)
    >>> print(text, end='')
    model = dict(type='ImageClassifier')
    default_scope = 'mmpretrain'
    >>> notes
    ['`model.frozen_stages` is 3, and MMPretrain has nothing like it']
    """
    form, notes = for_mmpretrain(config, classes), []
    for key in MODEL_KEYS:
        value = config['model'].get(key)
        if value not in (None, -1, (), [], False):
            notes.append(f'`model.{key}` is {value!r}, and MMPretrain has nothing like it')
    if form.pop('execution', None):
        notes.append('`execution` is left out: MMPretrain computes in fp32, or with --amp')
    _replace(form, library_of(config), notes)
    hooks = form.get('default_hooks') or {}
    for section in [*hooks.values(), *(form.get('custom_hooks') or ())]:
        for key in ('monitor', 'save_best'):
            if section and section.get(key) == VALIDATION_LOSS:
                notes.append(f'`{key}` is {VALIDATION_LOSS}, which MMPretrain does not report: '
                             'it goes by the first metric')
                section[key] = 'auto' if key == 'save_best' else 'accuracy/top1'
                section['rule'] = 'greater'
    return resolved_text(form), notes


def for_mmpretrain(config: Mapping[str, Any], classes: int | None) -> dict[str, Any]:
    """A config whose model MMPretrain can build: amlnn's keys are out, its modules are imported.

    Args:
        config: A resolved config, which stays as it is.
        classes: As of `stored_text`.

    >>> form = for_mmpretrain({'model': {'head': {'type': 'DenseHead'}, 'pretrained': None}}, 3)
    >>> form['model']
    {'head': {'type': 'DenseHead', 'num_classes': 3}}
    >>> form['custom_imports']['imports']
    ['amlnn.models.images.heads']
    """
    form = copy.deepcopy(dict(config))
    model = form['model']
    for key in MODEL_KEYS:
        dict.pop(model, key, None)
    head = model.get('head')
    if classes and isinstance(head, dict) and head.get('num_classes') is None:
        head['num_classes'] = classes
    if not form.get('default_scope'):
        form['default_scope'] = 'mmpretrain'
    modules = _modules(config)
    if modules:
        given = form.get('custom_imports') or {'imports': [], 'allow_failed_imports': True}
        names = given.get('imports') or []
        names = [names] if isinstance(names, str) else list(names)
        form['custom_imports'] = {**given, 'imports': [
            *names, *(name for name in modules if name not in names)]}
    return form


def unfold(values: Located) -> Located:
    """What a file wrote, as amlnn reads it; unchanged unless it is a run's config.py.

    Raises:
        ConfigError: its key `amlnn` is not what amlnn wrote.

    >>> from amlnn.config.located import Place
    >>> unfold(located({'model': {'classes': 3}, 'default_scope': 'mmpretrain', 'amlnn': {
    ...     'keys': {'model.frozen_stages': 1}, 'without': ['model.classes', 'default_scope']}},
    ...     Place('config.py')))
    {'model': {'frozen_stages': 1}}
    """
    if FOLDED not in values:
        return values
    place = values.place(FOLDED)
    try:
        result: Located = located(fold_back(values), place)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ConfigError(f'{place}: `{FOLDED}` is a key of config.py in run folders, and this is '
                          f'not what stands there ({error})', hint='take it out') from None
    for key in result:
        result.places[key] = values.places.get(key, place)
    return result


_ABSENT = object()


def _differences(was: Mapping[str, Any], now: Mapping[str, Any],
                 at: str) -> Iterator[tuple[str, object]]:
    for key in {**was, **now}:
        dotted = f'{at}.{key}' if at else key
        left, right = was.get(key, _ABSENT), now.get(key, _ABSENT)
        if isinstance(left, Mapping) and isinstance(right, Mapping) and '.' not in key:
            yield from _differences(left, right, dotted)
        elif left is _ABSENT or right is _ABSENT or left != right:
            yield dotted, left


def _modules(config: Mapping[str, Any]) -> list[str]:
    """The modules of amlnn's that register what a config names and MMPretrain would build."""
    found, names = library_of(config), dict.fromkeys(_types(
        {key: value for key, value in config.items()
         if key.startswith(('model', 'data_preprocessor', 'tta_')) or key.endswith(
             ('_dataloader', '_evaluator'))}))
    modules = {component.module for name in names if (component := found.find_anywhere(name))}
    return sorted(module for module in modules if module.startswith('amlnn.'))


def _types(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get('type'), str):
            yield value['type']
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _types(item)


def _replace(section: object, found: Library, notes: list[str]) -> None:
    """Put MMEngine's classes in the place of those that need amlnn's runner."""
    if isinstance(section, dict):
        component = found.find_anywhere(str(section.get('type')))
        other = component and found.facts(component).stands_for
        if other:
            notes.append(f'{section["type"]} is {other[0]}')
            section['type'] = other[0]
            for key in [key for key in section if key not in (*other[1], 'type', 'priority')]:
                dict.pop(section, key)
        section = list(section.values())
    if isinstance(section, list | tuple):
        for item in section:
            _replace(item, found, notes)
