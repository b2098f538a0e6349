"""What an evaluator measured, as a record keeps it."""

from collections.abc import Mapping

import numpy as np
import torch

from amlnn.errors import ConfigError
from amlnn.registry import VALIDATION_LOSS

__all__ = ['check_monitors', 'numbers_and_arrays']


def numbers_and_arrays(measured: Mapping) -> tuple[dict[str, float], dict[str, list]]:
    """Metrics that are one number, and those that are several, as nested lists.

    >>> numbers_and_arrays({'top1': 80, 'recall_classwise': [75.0, 85.0]})
    ({'top1': 80.0}, {'recall_classwise': [75.0, 85.0]})
    """
    numbers, arrays = {}, {}
    for name, value in measured.items():
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().numpy()
        if isinstance(value, str) or not np.issubdtype((array := np.asarray(value)).dtype,
                                                       np.number):
            continue
        if array.ndim == 0:
            numbers[name] = float(array)
        else:
            arrays[name] = array.tolist()
    return numbers, arrays


def check_monitors(config, measured: Mapping) -> None:
    """Refuse to choose an epoch by what is no number.

    Args:
        config: With hooks and schedulers.
        measured: What the metrics of the validation part give.

    Raises:
        ConfigError: names the key.
    """
    numbers = [name for name, value in measured.items() if not isinstance(value, list)]
    saver = config['default_hooks']['checkpoint']
    if saver.get('save_best', 'auto') == 'auto' and measured and not numbers:
        raise ConfigError(
            "`default_hooks.checkpoint.save_best` is 'auto', and no metric of val_evaluator is one "
            f'number: {", ".join(measured)}', hint=_hint('default_hooks.checkpoint.save_best'))
    for key, name in _monitors(config):
        if isinstance(measured.get(name), list):
            raise ConfigError(
                f"`{key}` is '{name}', which is no number but {len(measured[name])} of them",
                hint=_hint(key, *numbers))


def _monitors(config):
    hooks = config['default_hooks']
    yield 'default_hooks.checkpoint.save_best', hooks['checkpoint'].get('save_best', 'auto')
    listed = [(f'default_hooks.{name}.monitor', hook) for name, hook in hooks.items()]
    for key in ('custom_hooks', 'param_scheduler'):
        sections = config.get(key) or []
        sections = [sections] if isinstance(sections, dict) else sections
        listed += [(f'{key}.{place}.monitor', each) for place, each in enumerate(sections)]
    for key, section in listed:
        if isinstance(section, dict) and section.get('monitor') is not None:
            yield key, section['monitor']


def _hint(key: str, *names: str) -> str:
    return f"{key}='{next(iter(names), VALIDATION_LOSS)}', for instance"
