"""Which metrics a config's evaluators produce, and so what can be monitored."""

import re
from collections.abc import Iterator
from typing import Any

from amlnn.config.located import Located
from amlnn.config.signatures import Library
from amlnn.config.values import default_of
from amlnn.registry import VALIDATION_LOSS

__all__ = ['monitored', 'produced']

_ARGUMENT = re.compile(r'\{(\w+)\}')


def produced(config: Located, library: Library) -> list[str] | None:
    """Names of all that validation reports, or None if that cannot be known.

    >>> from amlnn.config.signatures import library
    >>> produced(Located(val_evaluator=dict(type='Accuracy', topk=(1, 5))), library())
    ['accuracy/top1', 'accuracy/top5', 'val_loss']
    """
    evaluator = config.get('val_evaluator')
    if not evaluator:
        return None
    if isinstance(evaluator, dict):
        evaluator = evaluator.get('metrics', evaluator)
    names: list[str] = []
    for metric in evaluator if isinstance(evaluator, list | tuple) else [evaluator]:
        results = _results(metric, library)
        if results is None:
            return None
        names += results
    return [*dict.fromkeys(names), VALIDATION_LOSS]


def monitored(config: Located) -> Iterator[tuple[str, Located, str]]:
    """Every place that names a metric: the dotted key, the dict it is in, the key.

    >>> config = Located(default_hooks=dict(checkpoint=dict(save_best='val_loss')))
    >>> [(dotted, section[key]) for dotted, section, key in monitored(config)]
    [('default_hooks.checkpoint.save_best', 'val_loss')]
    """
    hooks = config.get('default_hooks')
    places = list(dict.items(hooks)) if isinstance(hooks, dict) else []
    places = [(f'default_hooks.{name}', hook) for name, hook in places]
    for top in ('custom_hooks', 'param_scheduler'):
        value = config.get(top) or []
        items = enumerate(value) if isinstance(value, list | tuple) else [('', value)]
        places += [(f'{top}.{index}' if index != '' else top, item) for index, item in items]
    for dotted, value in places:
        if isinstance(value, Located):
            for key in ('save_best', 'monitor'):
                if key in value:
                    yield f'{dotted}.{key}', value, key


def _results(metric: object, library: Library) -> list[str] | None:
    """What one metric reports, as it or the table of the libraries' classes declares."""
    if not isinstance(metric, dict):
        return None
    facts = library.facts_of('METRICS', metric.get('type'))
    if facts.reports is None:
        return None
    names = facts.reports(metric) if callable(facts.reports) \
        else _filled_in(facts.reports, metric, library)
    if names is None:
        return None
    prefix = metric.get('prefix') or facts.default_prefix
    return [f'{prefix}/{name}' if prefix else name for name in names]


def _filled_in(reports: tuple[str, ...], metric: dict[str, Any],
               library: Library) -> list[str] | None:
    """The names with the values of the arguments that they name; None if a value is not known."""
    component = library.find('METRICS', metric['type'])
    if component is None:
        return None
    parameters = library.signature(component.module, component.local).parameters
    names = []
    for name in reports:
        argument = _ARGUMENT.search(name)
        if argument is None:
            names.append(name)
            continue
        key = argument[1]
        value = metric[key] if key in metric else default_of(parameters.get(key))
        if value is None or value is ...:
            return None
        names += [name.replace(argument[0], str(item), 1)
                  for item in (value if isinstance(value, list | tuple) else (value,))]
    return names
