"""What follows from the number of classes, and where that is known from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amlnn.data.images.layout import layout_of
from amlnn.errors import ConfigError, DataError

__all__ = ['cut_topk', 'derive_classes', 'typed_count']

# Their classification layer is inside, and they take the class count themselves.
_PREPROCESSOR = 'ClsDataPreprocessor'
_WHOLE_NETWORKS = ('TimmClassifier', 'mmpretrain.TimmClassifier')


def derive_classes(loaded, config, names, class_count, section, from_checkpoint) -> int | None:
    """Set the class count where the config leaves it out; what it is, or None.

    Args:
        loaded: The config with its origins.
        config: The adapted config, which is changed.
        names: Class names of the checkpoint, else of the data set.
        class_count: Of a checkpoint without names.
        section: The first data set.
        from_checkpoint: Whether names or count are a checkpoint's.

    Raises:
        ConfigError: the config types another number.
        DataError: nobody knows it.
    """
    whole = config['model'].get('type') in _WHOLE_NETWORKS
    head, key = (config['model'], 'model.num_classes') if whole else \
        (config['model'].get('head'), 'model.head.num_classes')
    takes = whole or (isinstance(head, dict) and _takes_class_count(head))
    typed = head.get('num_classes') if isinstance(head, dict) else None
    count = len(names) if names else class_count
    data_root, layout = section.get('data_root'), layout_of(section)
    source = 'the checkpoint' if from_checkpoint \
        else str(Path(data_root or '') / layout.classes_file)
    if typed is not None and count is not None and typed != count:
        place = loaded.origins.get(key, loaded.path)
        raise ConfigError(
            f'{place}: `{key}` is {typed}, and {source} has {count} classes',
            hint=f'set {key}={count}, or leave it out: it is derived')
    count = count or typed
    if takes and typed is None:
        if count is None:
            raise DataError(
                f'the class count is not known: {source} does not exist',
                hint=f'{layout.how_to_get(data_root or "DST")}, or set {key}')
        head['num_classes'] = count
    for place in (config.get('data_preprocessor'), config['model'].get('data_preprocessor')):
        if place and count and place.get('num_classes', count) != count:
            place['num_classes'] = count
    if count:  # mixup makes one-hot labels, and a hook compares the numbers
        own = config['model'].get('data_preprocessor')
        place = own if isinstance(own, dict) else config.setdefault('data_preprocessor', {})
        if config['model'].get('train_cfg') \
                or place.get('type', _PREPROCESSOR).rpartition('.')[2] == _PREPROCESSOR:
            place.setdefault('num_classes', count)
    return count


def typed_count(config: Mapping[str, Any]) -> int | None:
    """How many classes a config's head tells apart, where it says so.

    >>> typed_count({'model': {'head': {'num_classes': 3}}}), typed_count({'model': {'head': 3}})
    (3, None)
    """
    head = config['model'].get('head')
    return head.get('num_classes') if isinstance(head, Mapping) else None


def _takes_class_count(head: dict) -> bool:
    from mmpretrain.models.heads import ClsHead
    from mmpretrain.registry import MODELS
    kind = MODELS.get(str(head.get('type', '')).removeprefix('mmpretrain.'))
    return isinstance(kind, type) and issubclass(kind, ClsHead) and kind is not ClsHead


def cut_topk(config, count: int | None, notes: list[str]) -> None:
    """Leave out the k of every `topk` that are more than there are classes, and say so."""
    if not count:
        return
    places = [('model.head', config['model'].get('head'))]
    for name in ('val_evaluator', 'test_evaluator'):
        evaluators = config.get(name)
        each = evaluators if isinstance(evaluators, list | tuple) else [evaluators]
        places += [(name, evaluator) for evaluator in each]
    cut = []
    for name, place in places:
        topk = place.get('topk') if isinstance(place, dict) else None
        values = tuple(topk) if isinstance(topk, list | tuple) else (topk,)
        if not all(isinstance(k, int) for k in values):
            continue  # none, or what its class will refuse
        kept = tuple(k for k in values if k <= count) or (1,)
        if values and kept != values:
            place['topk'] = kept
            cut.append(name)
    if cut:
        notes.append(f'topk is cut to the {count} classes in {", ".join(cut)}')
