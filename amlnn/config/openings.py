"""`model.unfreeze`: from which epoch on a training has which stages frozen."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from amlnn.suggest import did_you_mean

__all__ = ['fault_of_unfreeze', 'frozen_at', 'unfreeze_text']

_KEYS = ('epoch', 'frozen_stages')
_HINT = "model.unfreeze=[dict(epoch=4, frozen_stages=3), dict(epoch=7, frozen_stages=-1)]"


def frozen_at(first: int | str | None, unfreeze: Sequence[Mapping[str, Any]],
              epoch: int) -> int | str | None:
    """`frozen_stages` of an epoch.

    Args:
        first: As the training begins.
        unfreeze: What opens when, in order.
        epoch: Counted from 1.

    >>> opened = [dict(epoch=4, frozen_stages=3), dict(epoch=7, frozen_stages=-1)]
    >>> [frozen_at('all', opened, epoch) for epoch in (1, 3, 4, 6, 7, 20)]
    ['all', 'all', 3, 3, -1, -1]
    """
    value = first
    for each in unfreeze:
        if epoch >= each['epoch']:
            value = each['frozen_stages']
    return value


def unfreeze_text(first: int | str | None, unfreeze: Sequence[Mapping[str, Any]],
                  epochs: int | None) -> str:
    """What is frozen when, in words.

    Args:
        first: As the training begins.
        unfreeze: What opens when.
        epochs: Of the whole training; None where that is not known.

    >>> unfreeze_text('all', [dict(epoch=4, frozen_stages=3)], 3)
    'frozen_stages: all, from epoch 4 on 3; the training ends in epoch 3'
    """
    opened = [f'from epoch {each["epoch"]} on {each["frozen_stages"]}' for each in unfreeze]
    late = epochs is not None and any(each['epoch'] > epochs for each in unfreeze)
    end = f'; the training ends in epoch {epochs}' if late else ''
    return f'frozen_stages: {", ".join([str(first), *opened])}{end}'


def fault_of_unfreeze(model: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with the key, and a hint; None where nothing is.

    Args:
        model: The section.

    >>> fault_of_unfreeze({'frozen_stages': 2, 'unfreeze': [dict(epoch=3, frozen_stages=4)]})[0]
    '`model.unfreeze` freezes more in epoch 3 (4) than before (2)'
    """
    rows, first = model.get('unfreeze'), model.get('frozen_stages')
    if rows is None or (isinstance(rows, list | tuple) and not rows):
        return None
    for row in rows if isinstance(rows, list | tuple) else ():
        for key in row if isinstance(row, Mapping) else ():
            if key not in _KEYS:
                return f'`model.unfreeze` has a row with the key `{key}`', \
                    did_you_mean(str(key), _KEYS) or _HINT
    if not isinstance(rows, list | tuple) or not all(_is_row(row) for row in rows):
        return f'`model.unfreeze` is {rows!r}, not a list of dict(epoch=..., frozen_stages=...)', \
            _HINT
    if first is None:
        return '`model.unfreeze` opens frozen stages, and `model.frozen_stages` is not set', \
            "model.frozen_stages='all'"
    if model.get('trainable'):
        return '`model.unfreeze` and `model.trainable` are both set', \
            'keep one: unfreeze opens whole stages, trainable parts of them from the beginning'
    last_epoch, value = 1, first
    for row in rows:
        epoch, frozen = row['epoch'], row['frozen_stages']
        if epoch <= last_epoch:
            return f'`model.unfreeze` has epoch {epoch} behind epoch {last_epoch}', \
                'epochs count from 1, what is frozen in the first is model.frozen_stages, and ' \
                'they rise'
        if _amount(frozen) >= _amount(value):
            more = 'as much' if frozen == value else 'more'
            return f'`model.unfreeze` freezes {more} in epoch {epoch} ({frozen}) than before ' \
                f'({value})', "each opens more than the one before: 'all', then n, then -1"
        last_epoch, value = epoch, frozen
    return None


def _is_row(row: object) -> bool:
    if not isinstance(row, Mapping) or set(row) != {*_KEYS} or not _is_whole(row['epoch']):
        return False
    frozen = row['frozen_stages']
    return frozen == 'all' or (_is_whole(frozen) and frozen >= -1)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _amount(frozen: object) -> float:
    return float(frozen) if isinstance(frozen, int) else math.inf
