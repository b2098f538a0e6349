"""Which of a user's own modules features come through: with their source the features change."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from amlnn.config.own_modules import belonging, content_hash, custom_modules

__all__ = ['own_code']

_HOLDING = ('dataset', 'datasets', 'pipeline', 'transforms')


def own_code(config: Mapping[str, Any], *parts: object) -> dict[str, dict[str, str]]:
    """Hashes of the modules of `custom_imports` that parts are of, and of those beside them.

    Args:
        config: The resolved config.
        parts: A model, of which the head does not count, or a data set with its transforms.

    Returns:
        `own_code`, by file; nothing where the parts are of libraries alone.
    """
    tops = {base.__module__.partition('.')[0] for part in parts for each in _inside(part)
            for base in type(each).__mro__}
    hashes: dict[str, str] = {}
    for module in custom_modules(config):
        paths = belonging(module)
        if tops & {path.stem for path in paths}:
            hashes |= {path.name: content_hash(path) for path in paths}
    return {'own_code': hashes} if hashes else {}


def _inside(part: Any) -> Iterator[object]:
    """What computes."""
    yield part
    if isinstance(part, nn.Module):
        for name, child in part.named_children():
            if name != 'head':
                yield from child.modules()
        return
    for held in (getattr(part, name, None) for name in _HOLDING):
        for each in held if isinstance(held, list | tuple) else (held, ):
            if each is not None:
                yield from _inside(each)
