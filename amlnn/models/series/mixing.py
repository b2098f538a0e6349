"""Columns that read each other, for networks that read each column by itself."""

# B windows, T steps, C target columns, H hidden units

from mmengine.registry import MODELS
from torch import Tensor, nn

from amlnn.errors import ConfigError

__all__ = ['ColumnMixer']


@MODELS.register_module()
class ColumnMixer(nn.Module):
    """Adds to each column what a small network makes of all columns at the same step.

    That is the feature mixing of TSMixer (Chen et al. 2023, arXiv:2303.06053, section 3), with its
    residual, and without its norm: a window is normalised already. It adds nothing at first.

    Args:
        channels: Target columns, C; filled in by the forecaster.
        hidden_size: Units between the two linear maps.
        dropout: Chance of dropping a hidden unit, and what is added to a column.

    Raises:
        ConfigError: there is one column, or no hidden unit.

    >>> import torch
    >>> ColumnMixer(channels=3)(torch.ones(2, 5, 3)).shape
    torch.Size([2, 5, 3])
    """

    def __init__(self, channels: int, hidden_size: int = 16, dropout: float = 0.1):
        super().__init__()
        if channels < 2:
            raise ConfigError('`model.mixing` lets columns read each other, and there is one',
                              hint='leave it out: model.mixing=None')
        if hidden_size < 1:
            raise ConfigError(f'ColumnMixer got `hidden_size` {hidden_size}',
                              hint='a number from 1')
        self.hidden = nn.Sequential(nn.Linear(channels, hidden_size), nn.ReLU(),
                                    nn.Dropout(dropout))
        self.out = nn.Sequential(nn.Linear(hidden_size, channels), nn.Dropout(dropout))
        nn.init.zeros_(self.out[0].weight)
        nn.init.zeros_(self.out[0].bias)

    def forward(self, z_BTC: Tensor) -> Tensor:
        """[B, T, C]."""
        return z_BTC + self.out(self.hidden(z_BTC))
