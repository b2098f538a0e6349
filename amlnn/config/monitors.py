"""Which metrics a config's evaluators produce, and so what can be monitored."""

from collections.abc import Iterator

from amlnn.config.located import Located
from amlnn.config.signatures import Library
from amlnn.registry import VALIDATION_LOSS

__all__ = ['monitored', 'produced']

# Metrics whose every result is known, by class; the rest can be anything.
_RESULTS = {
    'ConfusionMatrix': ('result',),
    'SuperclassAccuracy': ('top1',),
}

# Metrics that report what their `items` name, with what they report without.
_ITEMS = {
    'ForecastError': ('mse', 'mae', 'mse_original', 'mae_original'),
    'QuantileError': ('crps', 'coverage', 'width'),
}


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
    """Every place that names a metric: the dotted key, the dict it is in, the key."""
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
    if not isinstance(metric, dict) or not isinstance(metric.get('type'), str):
        return None
    component = library.find('METRICS', metric['type'])
    if component is None:
        return None
    if component.local == 'Accuracy':
        names = _accuracy(metric)
    elif component.local == 'SingleLabelMetric':
        names = _single_label(metric)
    elif component.local == 'PresentClassAccuracy':
        names = [f'top{k}' for k in _sequence(metric.get('topk', 1))]
    elif component.local in ('MultiLabelMetric', 'VOCMultiLabelMetric'):
        names = _multi_label(metric)
    elif component.local in _ITEMS:
        names = list(_sequence(metric.get('items', _ITEMS[component.local])))
    elif component.local in ('AveragePrecision', 'VOCAveragePrecision'):
        names = ['mAP' if metric.get('average', 'macro') else 'AP_classwise']
    else:
        names = _RESULTS.get(component.local)
    if names is None:
        return None
    prefix = metric.get('prefix') or library.prefix(component)
    return [f'{prefix}/{name}' if prefix else name for name in names]


def _sequence(value: object) -> tuple:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _threshold_suffixes(metric: dict) -> list[str]:
    thresholds = _sequence(metric.get('thrs', 0.0))
    if len(thresholds) == 1:
        return ['']
    return ['_no-thr' if value is None else f'_thr-{value:.2f}' for value in thresholds]


def _accuracy(metric: dict) -> list[str]:
    # With fewer classes than `topk` the engine cuts it, and top1 is always among what remains.
    tops = sorted({1, *(k for k in _sequence(metric.get('topk', 1)) if isinstance(k, int))})
    if 1 not in _sequence(metric.get('topk', 1)):
        tops.remove(1)
    return [f'top{k}{suffix}' for k in tops for suffix in _threshold_suffixes(metric)]


def _single_label(metric: dict) -> list[str]:
    average = metric.get('average', 'macro')
    ending = {None: '_classwise', 'micro': '_micro'}.get(average, '')
    items = _sequence(metric.get('items', ('precision', 'recall', 'f1-score')))
    return [f'{item}{suffix}{ending}' for item in items
            for suffix in _threshold_suffixes(metric)]


def _multi_label(metric: dict) -> list[str]:
    average = metric.get('average', 'macro')
    ending = {None: '_classwise', 'macro': ''}.get(average, f'_{average}')
    topk, threshold = metric.get('topk'), metric.get('thr')
    if topk is not None and threshold is None:
        suffix = f'_top{topk}'
    else:
        threshold = 0.5 if threshold is None else threshold
        suffix = '' if threshold == 0.5 else f'_thr-{threshold:.2f}'
    items = _sequence(metric.get('items', ('precision', 'recall', 'f1-score')))
    return [f'{item}{suffix}{ending}' for item in items]
