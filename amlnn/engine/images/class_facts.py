"""How many training images each class has, and what a training does with that."""

from collections.abc import Callable

import numpy as np
from mmengine.registry import MODELS
from torch import nn

from amlnn.data.images.labels import single_labels
from amlnn.errors import DataError

__all__ = ['class_facts', 'tell_counts']


def _counting(section: dict) -> list[dict]:
    """The losses of a model's section that want to know the counts of classes."""
    head = section.get('head')
    losses = [head.get('loss') if isinstance(head, dict) else None, section.get('loss')]
    kinds = [(each, MODELS.get(str(each.get('type')))) for each in losses
             if isinstance(each, dict)]
    return [each for each, kind in kinds if 'class_counts' in getattr(kind, 'supplied', ())]


def _counts(dataset, classes: int) -> list[int] | None:
    """Images of each class of a data set; None where an image has no single class.

    Args:
        dataset: Whose items are views.
        classes: How many classes there are.
    """
    labels = single_labels(dataset)
    return None if labels is None else np.bincount(labels, minlength=classes).tolist()


def tell_counts(section: dict, classes: int | None, opened: Callable[[], object]) -> None:
    """Tell losses that want to know how many training images each class has.

    Args:
        section: The model's, which is changed.
        classes: How many classes there are.
        opened: Opens the training part; gives None where a checkpoint follows, which knows it.

    Raises:
        DataError: images have no single class.
    """
    for each in _counting(section):
        dataset = opened()
        counts = [1] * (classes or 1) if dataset is None else _counts(dataset, classes or 0)
        if counts is None:
            raise DataError(f'{each["type"]} counts images by their class, and of this data set '
                            'they have no single one',
                            hint="model.head.loss=dict(type='CrossEntropyLoss')")
        each['class_counts'] = counts


def class_facts(model: nn.Module, loader) -> dict[str, list[float]]:
    """What a record says of each class: images in training, draws, weights in the loss.

    Args:
        model: Built.
        loader: Of the training part.
    """
    names = loader.dataset.metainfo.get('classes') or ()
    counts = _counts(loader.dataset, len(names)) if names else None
    if counts is None or len(counts) != len(names):
        return {}
    facts: dict[str, list[float]] = {'in training': [*counts]}
    sampler = getattr(loader.sampler, 'sampler', None)
    for each in (sampler, getattr(getattr(model, 'head', None), 'loss_module', None)):
        if hasattr(each, 'class_facts'):
            facts |= {name: values for name, values in each.class_facts().items()
                      if len(values) == len(names)}
    return facts
