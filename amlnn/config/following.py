"""What a child that replaces the backbone whole need not say: what was typed for the one before."""

from amlnn.config.library_facts import PLAIN_POOLING
from amlnn.config.located import Located
from amlnn.registry import NAMED_NETWORKS

__all__ = ['follow_backbone']


def follow_backbone(child: Located, base: Located, config: Located) -> list[str]:
    """Take out what was inherited for another backbone, where a child `_delete_`s that one.

    `head.in_channels` and a plain pooling follow from the new backbone when the model is built;
    weights are those of its name, where it is a network of timm's. What the child sets stays.

    Args:
        child: What a file, or the command line, sets.
        base: What it inherits.
        config: Both, merged; changed in place.

    Returns:
        Lines to be printed.

    >>> from amlnn.config.located import Place, located, merge
    >>> base = located({'model': {'backbone': {'type': 'ResNet'}, 'head': {'in_channels': 2048},
    ...                           'pretrained': None}}, Place('base.py', 1))
    >>> child = located({'model': {'backbone': {'_delete_': True, 'type': 'LeNet5'}}},
    ...                 Place('child.py', 2))
    >>> both = merge(child, base)
    >>> follow_backbone(child, base, both)  # doctest: +NORMALIZE_WHITESPACE
    ['child.py:2: `model.head.in_channels` of base.py:1 is dropped: it follows from the new
     backbone']
    >>> both['model']
    {'backbone': {'type': 'LeNet5'}, 'head': {}, 'pretrained': None}
    """
    # What is asked of is what the merge left: a child may delete the whole model, or its head.
    mine, inherited, model = child.get('model'), base.get('model'), config.get('model')
    if not (isinstance(mine, Located) and isinstance(inherited, Located)
            and isinstance(mine.get('backbone'), Located) and mine['backbone'].get('_delete_')
            and isinstance(model, Located) and 'backbone' in inherited):
        return []
    head = model.get('head')
    notes = []
    place = mine.place('backbone')
    if isinstance(head, Located) and 'in_channels' in head and 'in_channels' not in _own(mine):
        notes.append(f'{place}: `model.head.in_channels` of {head.place("in_channels")} is '
                     'dropped: it follows from the new backbone')
        dict.pop(head, 'in_channels')
        if 'neck' not in mine and model.get('neck') == PLAIN_POOLING:
            dict.pop(model, 'neck')
    backbone = mine['backbone']
    prefix, key = NAMED_NETWORKS.get(str(backbone.get('type')), ('', ''))
    if isinstance(backbone.get(key), str) and model.get('pretrained') and 'pretrained' not in mine:
        source = prefix + backbone[key]
        notes.append(f'{place}: `model.pretrained` is {source!r}: '
                     f'{model["pretrained"]!r} was of the backbone before')
        model.put('pretrained', source, place)
    return notes


def _own(mine: Located) -> dict[str, object]:
    """What a child sets of the head."""
    head = mine.get('head')
    return head if isinstance(head, dict) else {}
