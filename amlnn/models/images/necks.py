"""Necks that make vectors of what transformers give."""

# B batch, N tokens, H height, W width, C channels

from mmengine.registry import MODELS
from torch import Tensor, nn

from amlnn.errors import ConfigError

__all__ = ['FeaturePooling']


@MODELS.register_module()
class FeaturePooling(nn.Module):
    """Vectors from tokens, or from maps whose channels come last.

    Maps whose channels come first are what MMPretrain's GlobalAveragePooling is for.

    Args:
        take: 'mean' of all places, or 'first', the token of the class.

    Raises:
        ConfigError: `take` is something else, or the features are no tokens and no maps.

    >>> import torch
    >>> tokens = torch.arange(12.).reshape(1, 3, 4)
    >>> FeaturePooling('mean')((tokens,)), FeaturePooling('first')((tokens,))
    ((tensor([[4., 5., 6., 7.]]),), (tensor([[0., 1., 2., 3.]]),))
    """

    def __init__(self, take: str = 'mean'):
        super().__init__()
        if take not in ('mean', 'first'):
            raise ConfigError(f'`model.neck.take` is {take!r}', hint="'mean' or 'first'")
        self.take = take

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The last of the features, [B, N, C] or [B, H, W, C], as ([B, C],)."""
        x = feats[-1] if isinstance(feats, tuple | list) else feats
        if not isinstance(x, Tensor) or x.ndim not in (3, 4):
            shape = tuple(x.shape) if isinstance(x, Tensor) else f'{type(x).__name__}s'
            raise ConfigError(f'FeaturePooling is given features of {shape}',
                              hint='leave model.neck out: it follows from the backbone')
        x_BNC = x.flatten(1, -2)
        return (x_BNC.mean(1) if self.take == 'mean' else x_BNC[:, 0],)
