"""Heads of dense layers on a feature map or on pooled features."""

# B batch, C channels, H height, W width, F features, K classes

import math
from collections.abc import Sequence
from itertools import pairwise

from mmengine.registry import MODELS
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.models.heads import ClsHead, LinearClsHead, StackedLinearClsHead

__all__ = ['DenseHead', 'check_head']


@MODELS.register_module()
class DenseHead(ClsHead):
    """Dense layers, with relu between them, and dropout before the last.

    Without a neck it takes the backbone's feature map and flattens it, channel by channel, in
    whichever memory layout it comes; Keras flattens pixel by pixel, which only numbers the weights
    otherwise. With a pooling neck it takes vectors. Weights begin as Keras's dense layers do:
    uniform in +-sqrt(6 / (inputs + outputs)), biases zero (Glorot and Bengio, Understanding the
    difficulty of training deep feedforward neural networks, AISTATS 2010, equation 16).

    Args:
        num_classes: Classes, K.
        in_channels: Features of an image, F: of a map that is not pooled, C x H x W.
        hidden_channels: Outputs of each dense layer before the last, first to last.
        dropout: The share of the last layer's inputs that is set to zero in training.
        loss: The loss's section; None is cross entropy.
        kwargs: Arguments of MMPretrain's ClsHead.

    Raises:
        ConfigError: an argument is out of range, or the features are not `in_channels`.

    >>> import torch
    >>> head = DenseHead(num_classes=3, in_channels=32, hidden_channels=(8,))
    >>> head((torch.zeros(2, 8, 2, 2),)).shape
    torch.Size([2, 3])
    """

    def __init__(self, num_classes: int, in_channels: int, hidden_channels: Sequence[int] = (),
                 dropout: float = 0.0, loss: dict | None = None, **kwargs):
        sizes = (in_channels, *hidden_channels, num_classes)
        for name, size in (('in_channels', in_channels), ('num_classes', num_classes),
                           *(('hidden_channels', size) for size in hidden_channels)):
            if size < 1:
                raise ConfigError(f'`model.head.{name}` has {size}', hint='at least 1')
        if not 0 <= dropout < 1:
            raise ConfigError(f'`model.head.dropout` is {dropout}',
                              hint='a share, from 0 to less than 1')
        kwargs.setdefault('init_cfg', dict(
            type='Xavier', layer='Linear', distribution='uniform', bias=0))
        super().__init__(loss=loss or dict(type='CrossEntropyLoss'), **kwargs)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.hidden = nn.Sequential(*(
            layer for inputs, outputs in pairwise(sizes[:-1])
            for layer in (nn.Linear(inputs, outputs), nn.ReLU())))
        self.dropout = nn.Dropout(dropout)
        # Named as in MMPretrain's LinearClsHead, where class counts are read from and weights fit.
        self.fc = nn.Linear(sizes[-2], num_classes)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """What the last dense layer is given, but for dropout.

        Args:
            feats: Of the backbone or neck; the last is used, [B, C, H, W] or [B, F].
        """
        check_head(self, feats)
        return self.hidden(feats[-1].flatten(1))

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Scores, [B, K]."""
        return self.fc(self.dropout(self.pre_logits(feats)))


def check_head(head: nn.Module, feats: tuple[Tensor, ...]) -> None:
    """Ask whether features fit a dense head, before its matrices do.

    Args:
        head: Any; others than dense ones are not looked at.
        feats: What it is given, of the backbone or neck.

    Raises:
        ConfigError: names what `in_channels` is, what the features are, and what to set.
    """
    if not isinstance(head, DenseHead | LinearClsHead | StackedLinearClsHead):
        return
    shape = tuple(feats[-1].shape[1:])
    count = math.prod(shape)
    flattens = isinstance(head, DenseHead)
    if count == head.in_channels and (flattens or len(shape) == 1):
        return
    if len(shape) == 1:
        what, hint = f'{count} features', f'set model.head.in_channels={count}'
        if flattens:
            hint += ', or model.neck=None to flatten the feature map instead of pooling it'
    else:
        what = f'a map of {" x ".join(map(str, shape))} = {count} features'
        hint = f'set model.head.in_channels={count}, or another image size' if flattens else \
            "add model.neck=dict(type='GlobalAveragePooling'), or take the head DenseHead"
    raise ConfigError(f'`model.head.in_channels` is {head.in_channels}, and an image comes to '
                      f'{type(head).__name__} as {what}', hint=hint)
