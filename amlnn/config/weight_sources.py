"""All that a config names weights by, which of it holds, and what contradicts itself.

Weights are named by `model.pretrained`; by MMEngine's `init_cfg=dict(type='Pretrained', ...)` of
the model or any part of it; by arguments of a backbone that holds another library's network. What a
file says later holds: a child's `init_cfg` under a base with `model.pretrained=None`, a child's
`model.pretrained=None` over a base's `init_cfg`. Two files for one part are an error.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amlnn.config.findings import Findings
from amlnn.config.located import Located, Place
from amlnn.config.signatures import Library, library_of
from amlnn.registry import NAMED_NETWORKS, NETWORK_WEIGHTS

__all__ = ['NamedWeights', 'as_begun', 'check_weight_sources', 'leave_out', 'named_weights',
           'settle_weights']

_INIT = 'init_cfg'
_KEPT = 'model.pretrained'


@dataclass(frozen=True)
class NamedWeights:
    """A key that names a file of weights, other than `model.pretrained`."""

    key: str
    """Dotted, from `model` on."""
    source: str
    """The file, as the config names it."""
    prefix: str
    """Of the tensors that are meant; '' for all."""
    place: Place
    """Where it is written; empty where that is not known any more."""
    built: bool
    """Whether the part would load them itself, while it is built."""

    @property
    def part(self) -> str:
        """What of the model they are of: 'backbone', say; '' for all of it."""
        inner = self.key.split('.')[1:-1]
        return inner[0] if inner else ''


def named_weights(config: Mapping[str, Any], found: Library | None = None) -> list[NamedWeights]:
    """What names weights in a config, but for `model.pretrained`.

    Args:
        config: With the section `model`.
        found: What the config can name, if that is known already.

    >>> init = dict(type='Pretrained', checkpoint='a.pth', prefix='backbone.')
    >>> [named] = named_weights(dict(model=dict(backbone=dict(init_cfg=[init]))))
    >>> named.key, named.source, named.part
    ('model.backbone.init_cfg', 'a.pth', 'backbone')
    """
    model = config.get('model')
    return list(_walk(model, 'model', found or library_of(config)))


def _walk(section: object, at: str, found: Library) -> Iterator[NamedWeights]:
    if isinstance(section, list | tuple):
        for index, item in enumerate(section):
            yield from _walk(item, f'{at}.{index}', found)
    if not isinstance(section, dict):
        return
    for key, value in dict.items(section):
        if key == _INIT:
            for init in _loading(value, found):
                yield NamedWeights(f'{at}.{_INIT}', str(init.get('checkpoint') or ''),
                                   str(init.get('prefix') or ''), _place(section, key), False)
        else:
            yield from _walk(value, f'{at}.{key}', found)
    prefix, name = NAMED_NETWORKS.get(str(section.get('type')).rpartition('.')[2], ('', ''))
    for key in NETWORK_WEIGHTS if prefix else ():
        if section.get(key):
            source = section[key] if isinstance(section[key], str) else prefix + str(
                section.get(name))
            yield NamedWeights(f'{at}.{key}', source, '', _place(section, key), True)


def _loading(value: object, found: Library) -> list[dict[str, Any]]:
    """Those of an `init_cfg` that load weights, what is inside of others' `override` too."""
    inits = []
    for init in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(init, dict):
            continue
        if found.facts_of('WEIGHT_INITIALIZERS', _name(init.get('type'))).loads_weights:
            inits.append(init)
        inits += _loading(init.get('override'), found)
    return inits


def _name(kind: object) -> object:
    return kind.__name__ if isinstance(kind, type) else kind


def _place(section: dict[str, Any], key: str) -> Place:
    return section.place(key) if isinstance(section, Located) else Place('')


def leave_out(config: dict[str, Any], key: str, found: Library | None = None) -> None:
    """Take what loads weights out of one key of a config; other initialisations stay.

    >>> config = dict(model=dict(backbone=dict(init_cfg=[
    ...     dict(type='Kaiming', layer='Conv2d'), dict(type='Pretrained', checkpoint='a')])))
    >>> leave_out(config, 'model.backbone.init_cfg')
    >>> config
    {'model': {'backbone': {'init_cfg': [{'type': 'Kaiming', 'layer': 'Conv2d'}]}}}
    """
    found = found or library_of(config)
    *inner, last = key.split('.')
    section: Any = config
    for name in inner:
        section = section[int(name) if isinstance(section, list | tuple) else name]
    value = dict.get(section, last)
    rest = []
    if last == _INIT:
        rest = [init for init in (value if isinstance(value, list | tuple) else [value])
                if isinstance(init, dict) and not _loading(init, found)]
    if rest:
        dict.__setitem__(section, last, rest)
    else:
        dict.pop(section, last, None)


def settle_weights(config: Located, file: str) -> list[str]:
    """Let `model.pretrained=None` leave out the weights that files before it name.

    Args:
        config: What a file inherits and sets, merged; changed in place.
        file: The file, as its places call it.

    Returns:
        Lines to be printed.

    >>> from amlnn.config.located import located
    >>> config = located(dict(model=dict(backbone=dict(init_cfg=dict(
    ...     type='Pretrained', checkpoint='a')))), Place('base.py', 1))
    >>> config['model'].put('pretrained', None, Place('child.py', 2))
    >>> settle_weights(config, 'child.py')  # doctest: +NORMALIZE_WHITESPACE
    ['child.py:2: `model.pretrained` is None, which leaves out `model.backbone.init_cfg` of
     base.py:1']
    >>> config['model']['backbone']
    {}
    """
    model = config.get('model')
    if not isinstance(model, Located) or 'pretrained' not in model \
            or model['pretrained'] is not None or model.place('pretrained').file != file:
        return []
    place, notes = model.place('pretrained'), []
    for each in named_weights(config):
        if each.place.file != file:
            leave_out(config, each.key)
            notes.append(f'{place}: `model.pretrained` is None, which leaves out `{each.key}` of '
                         f'{each.place}')
    return list(dict.fromkeys(notes))


def check_weight_sources(config: Located, found: Library, forecasts: bool,
                         findings: Findings) -> None:
    """Find what names weights in vain, and two that name them for one part.

    Args:
        config: A resolved config.
        found: What it can name.
        forecasts: Whether its model is a forecaster.
        findings: Gets what is wrong.

    >>> from amlnn.config.located import located
    >>> init = dict(type='Pretrained', checkpoint='a')
    >>> config = located(dict(model=dict(pretrained='b', init_cfg=init)), Place('a.py', 1))
    >>> findings = Findings()
    >>> check_weight_sources(config, library_of(config), False, findings)
    >>> findings.errors[0].message
    '`model.pretrained` is set, and `model.init_cfg` loads weights too, in a.py:1'
    """
    model = config['model']
    named = named_weights(config, found)
    for each in named:
        if forecasts:
            findings.add(each.place, f'`{each.key}` loads weights, and a forecaster begins with '
                         'those of `model.pretrained` alone', rank=1,
                         hint=f'model.pretrained={each.source!r} in its place')
        elif each.built and each.part and each.key.count('.') > 2:
            findings.add(each.place, f'`{each.key}` would load weights unseen', rank=1,
                         hint='take it out; weights of a backbone are named by model.pretrained')
    _check_networks(model, findings)
    if model.get('pretrained') is not None and isinstance(model['pretrained'], str):
        parts = ('backbone', 'head') if model.get('pretrained_head') else ('backbone',)
        for each in named:
            if each.part in ('', *parts) and each.source != model['pretrained']:
                findings.add(
                    model.place('pretrained'), f'`model.pretrained` is set, and `{each.key}` '
                    f'loads weights too, in {each.place}', hint='keep one of the two: '
                    'model.pretrained=None leaves the other', rank=1)
    for index, one in enumerate(named):
        for other in named[index + 1:]:
            if (one.part == other.part or not one.part or not other.part) and (
                    one.source, one.prefix) != (other.source, other.prefix):
                findings.add(other.place, f'`{other.key}` loads `{other.source}`, and `{one.key}` '
                             f'loads `{one.source}`, in {one.place}', hint='keep one of the two',
                             rank=1)


def _check_networks(model: Located, findings: Findings) -> None:
    """Refuse arguments by which a library's own function would load weights."""
    for key in ('checkpoint_path', 'pretrained_cfg', 'pretrained_cfg_overlay'):
        if model.get(key):
            findings.add(model.place(key), f'`model.{key}` would load weights unseen', rank=1,
                         hint=f'{_KEPT}=FILE, and model.pretrained_head=True for its head too')
    backbone = model.get('backbone')
    if isinstance(backbone, Located) and backbone.get('pretrained'):
        for key in ('pretrained_cfg', 'pretrained_cfg_overlay'):
            if backbone.get(key):
                findings.add(backbone.place(key), f'`model.backbone.{key}` would change which '
                             f'weights are meant by `pretrained` in {backbone.place("pretrained")}',
                             hint=f'{_KEPT}=FILE in the place of both', rank=1)


def as_begun(config: Mapping[str, Any], stored: Mapping[str, Any]) -> Any:
    """A config with all that names weights as in another one, which a run began with.

    Args:
        config: A resolved config, which stays as it is.
        stored: That of the run, as it lies on the disk: it may be damaged.

    >>> init = dict(type='Pretrained', checkpoint='a')
    >>> as_begun(dict(model=dict(backbone=dict(init_cfg=init))), dict(model=dict(pretrained='b')))
    {'model': {'backbone': {}, 'pretrained': 'b'}}
    """
    result: Any = copy.deepcopy(config)
    if not all(isinstance(each.get('model'), Mapping) for each in (config, stored)):
        return result
    dict.__setitem__(result['model'], 'pretrained', stored['model'].get('pretrained'))
    for each in named_weights(config):
        leave_out(result, each.key)
    for each in named_weights(stored):
        *inner, last = each.key.split('.')
        section: Any = result
        given: Any = stored
        for name in inner:
            index: Any = int(name) if isinstance(given, list | tuple) else name
            if isinstance(section, list):
                fits = index in range(len(section))
            else:
                fits = isinstance(section, dict) and index in section
            if not fits:
                break
            section, given = section[index], given[index]
        else:
            if isinstance(section, dict):
                dict.__setitem__(section, last, copy.deepcopy(given[last]))
    return result
