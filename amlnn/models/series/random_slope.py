"""Training windows that are tilted at random, so that no slope of the past is learnt by heart."""

# B windows, L past steps, P future steps, C target columns, F input columns

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError

__all__ = ['RandomSlope']


class RandomSlope(nn.Module):
    """Adds a straight line to the target columns of a training window, past and future together.

    A network that sees one trend alone learns its slope as a part of every forecast, and errs by it
    once the trend turns. Tilted windows leave it the slope of the window itself to go by. A line
    passes through 0 at the last step of the past, each window and column has one of its own.

    Args:
        size: Standard deviation of what a line rises by over a whole window, past and future, in
            the units of the batch.

    Raises:
        ConfigError: `size` is negative or not finite.

    >>> past, future = RandomSlope(1.0)(torch.zeros(1, 3, 1), torch.zeros(1, 2, 1))
    >>> line = torch.cat([past, future], 1).flatten()
    >>> bool(line[2] == 0), bool(torch.allclose(line.diff(), line.diff()[0]))
    (True, True)
    """

    def __init__(self, size: float):
        super().__init__()
        if not 0 <= size < float('inf'):
            raise ConfigError(f'`random_slope` is {size}', hint='a number from 0, such as 0.5')
        self.size = float(size)

    def forward(self, inputs_BLF: Tensor, targets_BPC: Tensor) -> tuple[Tensor, Tensor]:
        """Both with their lines; nothing is drawn where the size is 0."""
        if not self.size:
            return inputs_BLF, targets_BPC
        L, (B, P, C) = inputs_BLF.shape[1], targets_BPC.shape
        rise_B1C = self.size * torch.randn(B, 1, C, dtype=targets_BPC.dtype,
                                           device=targets_BPC.device)
        step_W1 = torch.arange(1 - L, P + 1, dtype=targets_BPC.dtype,
                               device=targets_BPC.device)[:, None] / (L + P - 1)
        line_BWC = rise_B1C * step_W1
        tilted_BLC = inputs_BLF[..., :C] + line_BWC[:, :L]
        return (torch.cat([tilted_BLC, inputs_BLF[..., C:]], -1), targets_BPC + line_BWC[:, L:])
