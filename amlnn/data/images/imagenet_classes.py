"""The 1000 classes of ImageNet-1k, in the order of the models that were trained on it."""

from functools import cache

from amlnn.quiet import quiet_imports

__all__ = ['imagenet_classes', 'imagenet_wnids']


def imagenet_wnids() -> list[str]:
    """WordNet numbers of the 1000 classes.

    >>> imagenet_wnids()[:2]
    ['n01440764', 'n01443537']
    """
    return list(_info().label_names())


def imagenet_classes() -> list[str]:
    """WordNet number and first word of the 1000 classes.

    >>> imagenet_classes()[0]
    'n01440764 tench'
    """
    info = _info()
    words = (info.label_name_to_description(wnid) for wnid in info.label_names())
    return [f'{wnid} {text.partition(",")[0]}'
            for wnid, text in zip(info.label_names(), words, strict=True)]


@cache
def _info():
    with quiet_imports():
        from timm.data import ImageNetInfo  # brings in torch
    return ImageNetInfo('imagenet-1k')
