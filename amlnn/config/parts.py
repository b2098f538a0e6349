"""Whether the parts of a data set agree on what it declares to be the same in every part.

Parts that disagree on what is held out would share images: what is held out in one is trained on in
another.
"""

from amlnn.config.findings import Findings
from amlnn.config.kind import PARTS, data_sets
from amlnn.config.located import Located
from amlnn.config.signatures import Component, Library
from amlnn.config.values import default_of

__all__ = ['check_parts']


def check_parts(config: Located, library: Library, findings: Findings) -> None:
    """Compare what the parts of a config say about arguments that every part has to share.

    Args:
        config: The resolved config.
        library: What can be named.
        findings: Where to put what is wrong.

    >>> from amlnn.config.located import Place, located
    >>> from amlnn.config.signatures import library
    >>> config = located({f'{part}_dataloader': dict(dataset=dict(
    ...     type='TinyImageNet', data_root='a', holdout=count))
    ...     for part, count in (('train', 50), ('val', 0))}, Place('small.py', 1))
    >>> findings = Findings()
    >>> check_parts(config, library(), findings)
    >>> findings.errors[0].message.partition(': ')[2]
    'images of one part would be in another'
    """
    known: dict[str, tuple[str, Located]] = {}
    for part in PARTS:
        for dotted, leaf in data_sets(config.get(f'{part}_dataloader'), f'{part}_dataloader'):
            name = leaf.get('type')
            component = library.find('DATASETS', name) if isinstance(name, str) else None
            if component is None or not isinstance(leaf, Located) \
                    or not library.facts(component).same_in_every_part:
                continue
            if component.name in known:
                _compare(dotted, leaf, *known[component.name], component, library, findings)
            known.setdefault(component.name, (dotted, leaf))


def _compare(dotted: str, leaf: Located, first_dotted: str, first: Located, component: Component,
             library: Library, findings: Findings) -> None:
    parameters = library.signature(component.module, component.local).parameters
    for key, why in library.facts(component).same_in_every_part.items():
        default = default_of(parameters.get(key))
        mine, other = leaf.get(key, default), first.get(key, default)
        if mine == other:
            continue
        setter = leaf if key in leaf else first
        findings.add(
            setter.place(key), f'`{dotted}.{key}` is {mine!r}, and `{first_dotted}.{key}` is '
            f'{other!r}: {why}', rank=2, hint=f'the same {key} in every part: --cfg-options '
            + ' '.join(f'{part}_dataloader.dataset.{key}={other if key in first else mine}'
                       for part in PARTS))
