"""What a schedule does that nobody may have meant."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ['rising_again']


def rising_again(config: Mapping[str, Any], batches: int) -> list[str]:
    """Lines about cosines that have come down before the training ends, and rise again.

    Args:
        config: A resolved config.
        batches: Of an epoch.

    >>> schedule = {'type': 'CosineAnnealingLR', 'T_max': 20, 'by_epoch': True}
    >>> config = {'train_cfg': {'max_epochs': 30}, 'param_scheduler': [schedule]}
    >>> rising_again(config, 10)[0].partition(': ')[2]
    'T_max=30 ends at its lowest'
    """
    epochs = (config.get('train_cfg') or {}).get('max_epochs')
    if not isinstance(epochs, int):
        return []
    notes = []
    for section in _sections(config.get('param_scheduler')):
        period = section.get('T_max')
        by_epoch = section.get('by_epoch', True)
        whole, unit = (epochs, 'epochs') if by_epoch else (epochs * batches, 'iterations')
        begin = section.get('begin', 0)
        end = min(section.get('end', whole), whole)
        if not isinstance(period, int | float) or period <= 0:
            continue
        rising = end - begin - 1 - period
        if rising > 0:
            notes.append(
                f'{section.get("type")} comes down in T_max={period} {unit} and then rises again, '
                f'in the last {rising} of {end - begin}: T_max={end - begin} ends at its lowest')
    return notes


def _sections(value: object) -> Iterator[Mapping[str, Any]]:
    """The schedulers of a section, which may be one, a list, or a dict of them."""
    if isinstance(value, Mapping) and 'type' in value:
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _sections(each)
