"""A sampler that draws images of some classes more often than those of others."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from mmengine.registry import DATA_SAMPLERS

from amlnn.data.images.labels import single_labels
from amlnn.errors import ConfigError, DataError

__all__ = ['WeightedSampler']


@DATA_SAMPLERS.register_module()
class WeightedSampler:
    """Draws images in proportion to the weights of their classes, in a random order.

    An image is drawn as often as its share of an epoch says, in whole numbers: one with a share of
    2.3 comes twice or three times, 2.3 times in the mean over epochs (systematic sampling: Madow,
    On the theory of systematic sampling II, Annals of Mathematical Statistics 20, 1949). Drawing
    with replacement, as `torch.utils.data.WeightedRandomSampler` does, has the same mean and leaves
    out more images. Of an image that comes several times every copy is another view (ViewSampler).

    Args:
        dataset: The data set, whose images have one label each.
        class_weights: How often an image of each class is drawn beside one of the others, in the
            order of their numbers; None draws all classes equally often.
        length: Images of an epoch; None is as many as the data set has.
        seed: Of the order, together with the epoch.

    Raises:
        ConfigError: a weight is missing or no weight, or all are zero.
        DataError: images have no single label.
    """

    smallest: ClassVar = {'length': 1}

    def __init__(self, dataset, class_weights: Sequence[float] | None = None,
                 length: int | None = None, seed: int | None = None):
        labels = _labels(dataset)
        weights = _balancing(labels) if class_weights is None else _checked(class_weights, labels)
        shares = weights[labels]
        self.length = len(labels) if length is None else length
        self._shares = shares * (self.length / shares.sum())
        self._labels = labels
        self.seed = seed or 0
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the draws of an epoch, counted from 0."""
        self.epoch = epoch

    def class_facts(self) -> dict[str, list[float]]:
        """How many images of each class an epoch draws in the mean, in words and numbers."""
        drawn = np.bincount(self._labels, weights=self._shares)
        return {'drawn an epoch': drawn.round(1).tolist()}

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self._shares))
        # Pieces of a line as long as the shares; each whole number falls on an image that is drawn.
        ends = np.floor(np.cumsum(self._shares[order]) + random.random())
        ends[-1] = self.length  # whatever rounding has made of the sum
        counts = np.diff(np.minimum(ends, self.length), prepend=0).astype(np.int64)
        return iter(random.permutation(np.repeat(order, counts)).tolist())


def _labels(dataset) -> np.ndarray:
    labels = single_labels(dataset)
    if labels is None:
        raise DataError('WeightedSampler weighs images by their class, and of this data set they '
                        'have no single one', hint="sampler=dict(type='DefaultSampler', "
                        'shuffle=True)')
    return labels


def _balancing(labels: np.ndarray) -> np.ndarray:
    return 1 / np.maximum(np.bincount(labels), 1)


def _checked(class_weights: Sequence[float], labels: np.ndarray) -> np.ndarray:
    weights = np.array(class_weights, np.float64)
    classes = int(labels.max()) + 1
    if weights.ndim != 1 or len(weights) < classes:
        raise ConfigError(f'`sampler.class_weights` has {len(class_weights)} weights, and there '
                          f'are {classes} classes', hint='one number a class, in the order of '
                          'classes.txt; without it all classes are drawn equally often')
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights[labels].sum() > 0):
        raise ConfigError(f'`sampler.class_weights` is {list(class_weights)}',
                          hint='numbers from 0 on, of which one at least is more')
    return weights
