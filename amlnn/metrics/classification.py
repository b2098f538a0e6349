"""Accuracies of a classifier that need to know more of the classes than their number.

What they need is in the data set's `metainfo`: `superclass_of`, the superclass's number of every
class [K], or `present`, the numbers of the classes that occur at all.
"""

# N images, K classes

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from amlnn.errors import ConfigError
from amlnn.formulas.accuracies import superclass_accuracy, topk_accuracies

__all__ = ['PresentClassAccuracy', 'SuperclassAccuracy']


class _ScoredMetric(BaseMetric):
    """A metric that keeps the scores [K] and the label of every image."""

    needs: str
    """The key of the data set's metainfo without which the metric means nothing."""

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Add a batch of predictions."""
        for sample in data_samples:
            self.results.append((sample['pred_score'].float().cpu().numpy(),
                                 int(sample['gt_label'])))


@METRICS.register_module()
class SuperclassAccuracy(_ScoredMetric):
    """How often the predicted class belongs to the superclass of the right one, in percent.

    A network of the classes itself is asked: the superclass is that of its most probable class, not
    the one whose classes are the most probable together.

    Args:
        collect_device: 'cpu' or 'gpu', as of every metric of MMEngine.
        prefix: Put before `top1` instead of 'superclass'.
    """

    default_prefix = 'superclass'
    reports = ('top1',)
    needs = 'superclass_of'

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None):
        super().__init__(collect_device=collect_device, prefix=prefix)

    def compute_metrics(self, results: list[tuple[np.ndarray, int]]) -> dict[str, float]:
        """The share of all images.

        >>> metric = SuperclassAccuracy()
        >>> metric.dataset_meta = dict(superclass_of=[0, 0, 1])
        >>> metric.compute_metrics([(np.array([0.5, 0.3, 0.2]), 1), (np.array([0, 0.1, 0.9]), 0)])
        {'top1': 50.0}
        """
        predicted = np.array([scores.argmax() for scores, _ in results])
        labels = np.array([label for _, label in results])
        return {'top1': 100 * superclass_accuracy(predicted, labels,
                                                  self.dataset_meta['superclass_of'])}


@METRICS.register_module()
class PresentClassAccuracy(_ScoredMetric):
    """Accuracy among the classes that the data set has, in percent.

    For a network that knows more classes than occur, such as one of ImageNet's 1000 on the 200 of
    Tiny-ImageNet: what it says of the others is left aside.

    Args:
        topk: How many of the most probable classes may hold the right one; each is reported.
        collect_device: 'cpu' or 'gpu', as of every metric of MMEngine.
        prefix: Put before `top1` instead of 'present'.

    Raises:
        ConfigError: `topk` is no positive number or list of them.
    """

    default_prefix = 'present'
    reports = ('top{topk}',)
    needs = 'present'

    def __init__(self, topk: int | Sequence[int] = (1,), collect_device: str = 'cpu',
                 prefix: str | None = None):
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)
        if not self.topk or min(self.topk) < 1:
            raise ConfigError(f'PresentClassAccuracy got topk={topk!r}', hint='topk=(1, 5), say')

    def compute_metrics(self, results: list[tuple[np.ndarray, int]]) -> dict[str, float]:
        """The share of all images for each of `topk`.

        >>> metric = PresentClassAccuracy(topk=(1, 2))
        >>> metric.dataset_meta = dict(present=[0, 2])
        >>> metric.compute_metrics([(np.array([0.1, 0.7, 0.2]), 2), (np.array([0.6, 0, 0.4]), 2)])
        {'top1': 50.0, 'top2': 100.0}
        """
        scores_NK = np.stack([scores for scores, _ in results])
        labels = np.array([label for _, label in results])
        shares = topk_accuracies(scores_NK, labels, self.topk, self.dataset_meta['present'])
        return {f'top{k}': 100 * share for k, share in zip(self.topk, shares, strict=True)}
