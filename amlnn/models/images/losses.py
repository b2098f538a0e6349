"""Losses for classes of which there are few images beside classes of which there are many."""

# B batch, K classes

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from amlnn.errors import ConfigError

__all__ = ['BalancedLoss', 'LogitAdjustedLoss']


class _CountedLoss(nn.Module):
    """A cross entropy that knows how many training images there are of each class.

    A checkpoint has the counts too, so that a test has the loss that was trained with.

    Args:
        class_counts: Training images of each class, [K]; a run gives them. None: all classes have
            equally many. A class without any counts as having one.
        loss_weight: What the loss is multiplied by.
    """

    supplied: ClassVar = ('class_counts',)

    def __init__(self, class_counts: Sequence[int] | None, loss_weight: float):
        super().__init__()
        counts = torch.tensor([1.0] if class_counts is None else class_counts, dtype=torch.float32)
        self.register_buffer('class_counts', counts.clamp(min=1))
        self.loss_weight = loss_weight

    def forward(self, cls_score: Tensor, label: Tensor, weight: Tensor | None = None,
                avg_factor: float | None = None, reduction_override: str | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            cls_score: [B, K].
            label: Class numbers [B], or what each class counts [B, K], behind mixup for instance.
            weight: Of each image, [B].
            avg_factor: What the sum is divided by; None is B.
            reduction_override: 'none' gives [B], 'sum' the sum.
        """
        loss_B = self.loss_weight * self._of(cls_score, label)
        if weight is not None:
            loss_B = loss_B * weight
        if reduction_override == 'none':
            return loss_B
        if reduction_override == 'sum':
            return loss_B.sum()
        return loss_B.sum() / (len(loss_B) if avg_factor is None else avg_factor)

    def _of(self, scores_BK: Tensor, label: Tensor) -> Tensor:
        raise NotImplementedError

    def class_facts(self) -> dict[str, list[float]]:
        """What it does with each class, in words and [K] numbers."""
        raise NotImplementedError


@MODELS.register_module()
class BalancedLoss(_CountedLoss):
    """Cross entropy whose classes weigh the more, the fewer training images they have.

    The weight of a class of n images is proportional to n ** -power, such that the mean over all
    training images is 1: with `power` 1, scikit-learn's `class_weight='balanced'`.

    Args:
        power: 1 gives all classes the same share of the loss, 0.5 is half way; above 0.
        class_counts: Training images of each class; a run counts them.
        loss_weight: What the loss is multiplied by.

    Raises:
        ConfigError: `power` is out of range.

    >>> loss = BalancedLoss(class_counts=[30, 10])
    >>> loss.class_facts()['weight in the loss']
    [0.6667, 2.0]
    """

    def __init__(self, power: float = 1.0, class_counts: Sequence[int] | None = None,
                 loss_weight: float = 1.0):
        if not 0 < power < math.inf:
            raise ConfigError(f'`model.head.loss.power` is {power}',
                              hint='a number above 0: 1 for classes of equal weight')
        super().__init__(class_counts, loss_weight)
        self.power = power

    @property
    def weights(self) -> Tensor:
        """[K]."""
        raw_K = self.class_counts ** -self.power
        return raw_K * (self.class_counts.sum() / (self.class_counts * raw_K).sum())

    def _of(self, scores_BK: Tensor, label: Tensor) -> Tensor:
        weights_K = self.weights.to(scores_BK.dtype).expand(scores_BK.shape[1])
        return functional.cross_entropy(scores_BK, label, weight=weights_K, reduction='none')

    def class_facts(self) -> dict[str, list[float]]:
        """The weight of each class."""
        return {'weight in the loss': _rounded(self.weights)}


@MODELS.register_module()
class LogitAdjustedLoss(_CountedLoss):
    """Cross entropy of scores to which the logarithms of the classes' shares are added.

    The network then learns scores without them, which are what it predicts by: those of a
    classifier for classes that are equally frequent (Menon et al., Long-tail learning via logit
    adjustment, ICLR 2021, equation 10, https://arxiv.org/abs/2007.07314). Like `BalancedLoss` it
    helps rare classes; it leaves their images their weight, and moves the borders between classes.

    Args:
        tau: How much is added; 1 is what balances errors over classes; above 0.
        class_counts: Training images of each class; a run counts them.
        loss_weight: What the loss is multiplied by.

    Raises:
        ConfigError: `tau` is out of range.

    >>> loss = LogitAdjustedLoss(class_counts=[30, 10])
    >>> loss.class_facts()['added to the score in training']
    [-0.2877, -1.3863]
    """

    def __init__(self, tau: float = 1.0, class_counts: Sequence[int] | None = None,
                 loss_weight: float = 1.0):
        if not 0 < tau < math.inf:
            raise ConfigError(f'`model.head.loss.tau` is {tau}', hint='a number above 0, usually 1')
        super().__init__(class_counts, loss_weight)
        self.tau = tau

    @property
    def adjustments(self) -> Tensor:
        """[K]."""
        return self.tau * (self.class_counts / self.class_counts.sum()).log()

    def _of(self, scores_BK: Tensor, label: Tensor) -> Tensor:
        return functional.cross_entropy(scores_BK + self.adjustments.to(scores_BK.dtype), label,
                                        reduction='none')

    def class_facts(self) -> dict[str, list[float]]:
        """What is added to the score of each class."""
        return {'added to the score in training': _rounded(self.adjustments)}


def _rounded(values_K: Tensor) -> list[float]:
    return [round(value, 4) for value in values_K.tolist()]
