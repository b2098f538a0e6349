"""What is taken away from a window before a network reads it, and given back to its forecast."""

# B windows, L past steps, P future steps, C target columns, s steps of a period

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.formulas.seasons import season_means

__all__ = ['LastValue', 'RevIN', 'SeasonalMean', 'Unchanged']


class Unchanged(nn.Module):
    """No normalisation."""

    def forward(self, x_BLC: Tensor, observed_BLC: Tensor | None):
        return x_BLC, None, None


class LastValue(nn.Module):
    """Subtracts the last value of a window, column by column."""

    def forward(self, x_BLC: Tensor, observed_BLC: Tensor | None):
        """Normalise; arguments and results as those of `RevIN`."""
        last_B1C = x_BLC[:, -1:]
        return x_BLC - last_B1C, last_B1C, None


class SeasonalMean(nn.Module):
    """Subtracts the mean over the same steps of all whole periods in a window, such as the same
    hours of all days: what is left to forecast is how the coming days differ from those past.

    Args:
        look_back: Past steps, L.
        horizon: Future steps, P.
        season: Steps of a period.

    Raises:
        ConfigError: there is no period, or none fits into the window.
    """

    def __init__(self, look_back: int, horizon: int, season: int | None):
        super().__init__()
        if season is None or not 1 <= season <= look_back:
            raise ConfigError(
                f"Forecaster has normalization 'season', and `season` {season} in a look-back of "
                f'{look_back} steps', hint='train_dataloader.dataset.season=24 for hours of a day')
        self.look_back, self.horizon, self.season = look_back, horizon, season

    def forward(self, x_BLC: Tensor, observed_BLC: Tensor | None):
        """Normalise; arguments and results as those of `RevIN`, the shift being [B, P, C]."""
        mean_BsC = season_means(x_BLC, self.season)
        # Steps of a period are counted from the end of the window, where both sides meet.
        past = torch.arange(-x_BLC.shape[1], 0, device=x_BLC.device) % self.season
        future = torch.arange(self.horizon, device=x_BLC.device) % self.season
        return x_BLC - mean_BsC[:, past], mean_BsC[:, future], None


class RevIN(nn.Module):
    """Reversible instance normalisation (Kim et al. 2022, "Reversible Instance Normalization for
    Accurate Time-Series Forecasting against Distribution Shift", equations 1 to 3).

    The learnt factor is kept positive, as an exponential: a sign carries nothing that the weights
    after it could not, and with it quantiles would change their order on the way back.

    Args:
        channels: Columns; each has a learnt factor and offset.
        epsilon: Added to the variance.
    """

    def __init__(self, channels: int, epsilon: float = 1e-5):
        super().__init__()
        self.epsilon = epsilon
        self.log_factor_C = nn.Parameter(torch.zeros(channels))
        self.offset_C = nn.Parameter(torch.zeros(channels))

    def forward(self, x_BLC: Tensor, observed_BLC: Tensor | None):
        """Normalise.

        Args:
            x_BLC: Windows without missing values.
            observed_BLC: False where a value was missing; such do not count in mean and deviation.

        Returns:
            The normalised windows, and shift and scale [B, 1, C] of the way back,
            `normalised * scale + shift`.
        """
        if observed_BLC is None:
            variance_B1C, mean_B1C = torch.var_mean(x_BLC, 1, correction=0, keepdim=True)
        else:
            count_B1C = observed_BLC.sum(1, keepdim=True).clamp(min=1)
            mean_B1C = torch.where(observed_BLC, x_BLC, 0.0).sum(1, keepdim=True) / count_B1C
            squares_BLC = torch.where(observed_BLC, (x_BLC - mean_B1C).square(), 0.0)
            variance_B1C = squares_BLC.sum(1, keepdim=True) / count_B1C
        scale_B1C = (variance_B1C + self.epsilon).sqrt() / self.log_factor_C.exp()
        shift_B1C = mean_B1C - self.offset_C * scale_B1C
        return (x_BLC - shift_B1C) / scale_B1C, shift_B1C, scale_B1C
