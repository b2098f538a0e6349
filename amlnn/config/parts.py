"""Whether the parts of a data set that holds images out agree on which.

Parts that disagree would share images: what is held out in one is trained on in another.
"""

import ast
from collections.abc import Iterator

from amlnn.config.findings import Findings
from amlnn.config.located import Located
from amlnn.config.signatures import Component, Library

__all__ = ['check_parts']

_PARTS = ('train', 'val', 'test')
_BASE = 'HeldOutDataset'
_WHY = {
    'holdout': 'images of one part would be in another',
    'seed': 'each would hold out other images',
    'labels': 'a number would be another class',
    'data_root': 'nothing keeps images of one out of the other',
}


def check_parts(config: Located, library: Library, findings: Findings) -> None:
    """Compare what the parts of a config say about hold-out, seed, labels and folder.

    Args:
        config: The resolved config.
        library: What can be named.
        findings: Where to put what is wrong.
    """
    known: dict[str, list[tuple[str, Located, Component]]] = {}
    for part in _PARTS:
        section = config.get(f'{part}_dataloader')
        inner = section.get('dataset') if isinstance(section, dict) else None
        for dotted, leaf in _leaves(inner, f'{part}_dataloader.dataset'):
            name = leaf.get('type')
            component = library.find('DATASETS', name) if isinstance(name, str) else None
            if component is None or not library.is_a(component, _BASE):
                continue
            for first_dotted, first, _ in known.get(component.name, ())[:1]:
                _compare(dotted, leaf, first_dotted, first, component, library, findings)
            known.setdefault(component.name, []).append((dotted, leaf, component))


def _compare(dotted: str, leaf: Located, first_dotted: str, first: Located, component: Component,
             library: Library, findings: Findings) -> None:
    parameters = library.signature(component.module, component.local).parameters
    for key, why in _WHY.items():
        default = _literal(parameters[key].default) if key in parameters else None
        mine, other = leaf.get(key, default), first.get(key, default)
        if mine == other:
            continue
        setter = leaf if key in leaf else first
        findings.add(
            setter.place(key), f'`{dotted}.{key}` is {mine!r}, and `{first_dotted}.{key}` is '
            f'{other!r}: {why}', rank=2, hint=f'the same {key} in every part: --cfg-options '
            + ' '.join(f'{part}_dataloader.dataset.{key}={other if key in first else mine}'
                       for part in _PARTS))


def _leaves(section: object, dotted: str) -> Iterator[tuple[str, Located]]:
    """The data sets inside wrappers, with their dotted keys."""
    if not isinstance(section, Located):
        return
    if isinstance(section.get('dataset'), dict):
        yield from _leaves(section['dataset'], f'{dotted}.dataset')
    elif isinstance(section.get('datasets'), list | tuple):
        for index, inner in enumerate(section['datasets']):
            yield from _leaves(inner, f'{dotted}.datasets.{index}')
    else:
        yield dotted, section


def _literal(text: str | None) -> object:
    try:
        return ast.literal_eval(text) if text else None
    except (SyntaxError, ValueError):
        return None
