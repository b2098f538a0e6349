"""A cycle that is learnt: what a series is at each place of a day or a week, whatever the window.

CycleNet (Lin et al. 2024, arXiv:2409.18479), section 3: what is left without the cycle is forecast
by a network, of any kind.
"""

# B windows, L past steps, P future steps, T = L + P, C target columns

import torch
from torch import Tensor, nn
from torch.nn import functional

from amlnn.errors import ConfigError, DataError

__all__ = ['LearntCycle']


class LearntCycle(nn.Module):
    """One number for each step of a cycle and each target column, in units of the batch; 0 at
    first.

    Args:
        cycle: Steps of the cycle.
        channels: Target columns, C.
        look_back: Past steps of a window, L.
        horizon: Future steps, P.

    Raises:
        ConfigError: that is no number of steps from 2.
    """

    def __init__(self, cycle: int | str, channels: int, look_back: int, horizon: int):
        super().__init__()
        if not isinstance(cycle, int) or cycle < 2:
            raise ConfigError(f'Forecaster got `cycle` {cycle!r}',
                              hint="a number of steps from 2; a training run finds that of 'auto'")
        self.look_back = look_back
        self.register_buffer('steps_T', torch.arange(-look_back, horizon), persistent=False)
        self.values = nn.Parameter(torch.zeros(cycle, channels))

    def forward(self, position_B: Tensor | None) -> tuple[Tensor, Tensor]:
        """The cycle of the past, [B, L, C], and that of the future, [B, P, C].

        Args:
            position_B: int64, where on the time grid each window's first future step lies; steps
                whose numbers differ by whole cycles are at the same place of it.

        Raises:
            DataError: it is not said where the windows lie.
        """
        if position_B is None or position_B.ndim != 1:
            raise DataError('Forecaster learns a cycle, and windows do not say where in it they '
                            'lie', hint='`position` of a batch; SeriesWindows(cycle=24) gives it')
        phase_BT = (position_B.unsqueeze(1) + self.steps_T) % len(self.values)
        # Not by an index: this way back is many times faster.
        cycle_BTC = functional.embedding(phase_BT, self.values)
        return cycle_BTC[:, :self.look_back], cycle_BTC[:, self.look_back:]
