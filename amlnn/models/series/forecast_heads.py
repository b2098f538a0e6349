"""What a forecaster says about each future value: one number, quantiles, or a distribution.

A head owns no layer. It says how many numbers R a value needs, turns those that the network gives
into values in the units of the batch, and knows their loss. The first of the R numbers is always
the centre: what recursive decoding feeds back.
"""

# B windows, P future steps, C target columns, R numbers per value, Q quantile levels

from collections.abc import Sequence
from itertools import pairwise
from math import log, pi
from statistics import NormalDist
from typing import NamedTuple

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from amlnn.errors import ConfigError
from amlnn.formulas.quantiles import pinball_losses

__all__ = ['Forecast', 'ForecastHead', 'GaussianHead', 'PointHead', 'QuantileHead']


class Forecast(NamedTuple):
    """A batch of forecasts in the units of the batch (z-scores, where the data were scaled)."""

    point: Tensor
    """[B, P, C]."""
    quantiles: Tensor | None = None
    """[B, P, C, Q], ascending in the last axis; None from a head that gives a point alone."""
    levels: tuple[float, ...] | None = None
    """The Q levels of `quantiles`, ascending, in (0, 1)."""


class ForecastHead(nn.Module):
    """What the forecaster asks of a head."""

    size: int
    """R: how many numbers of the network stand for one value."""

    def forward(self, raw_BPCR: Tensor, shift_B1C: Tensor | None,
                scale_B1C: Tensor | None) -> Tensor:
        """Turn the network's numbers into the head's, in the units of the batch.

        Args:
            raw_BPCR: What the network gave, in units normalised per window.
            shift_B1C: Added to every value of a window; None for 0.
            scale_B1C: Positive; every value of a window is multiplied by it first; None for 1.

        Returns:
            [B, P, C, R].
        """
        raise NotImplementedError

    def loss(self, output_BPCR: Tensor, target_BPC: Tensor,
             observed_BPC: Tensor | None = None) -> Tensor:
        """Mean loss over the observed values, 0 where there is none.

        Args:
            output_BPCR: What `forward` gave.
            target_BPC: What came true, in the units of the batch.
            observed_BPC: False where the truth is missing; its stored value is not read.
        """
        if observed_BPC is None:
            return self.losses(output_BPCR, target_BPC).mean()
        kept = self.losses(output_BPCR, torch.where(observed_BPC, target_BPC, 0.0))
        # `where`, not a product: an infinite loss times False is not a number.
        return torch.where(observed_BPC, kept, 0.0).sum() / observed_BPC.sum().clamp(min=1)

    def losses(self, output_BPCR: Tensor, target_BPC: Tensor) -> Tensor:
        """The loss of each value, [B, P, C]."""
        raise NotImplementedError

    def forecast(self, output_BPCR: Tensor) -> Forecast:
        """What `forward` gave, as a forecast."""
        raise NotImplementedError


_POINT_LOSSES = dict(mse=functional.mse_loss, mae=functional.l1_loss,
                     huber=functional.smooth_l1_loss)


@MODELS.register_module()
class PointHead(ForecastHead):
    """One number per value.

    Args:
        loss: 'mse', 'mae', or 'huber' (squared below an error of 1, absolute above, Huber 1964).

    Raises:
        ConfigError: `loss` is none of these.

    >>> head = PointHead(loss='mae')
    >>> head.loss(torch.tensor([[[[1.0]], [[2.0]]]]), torch.tensor([[[3.0], [2.0]]])).item()
    1.0
    """

    size = 1

    def __init__(self, loss: str = 'mse'):
        super().__init__()
        if loss not in _POINT_LOSSES:
            raise ConfigError(f'PointHead has no loss `{loss}`',
                              hint=f'one of {", ".join(_POINT_LOSSES)}')
        self._loss = _POINT_LOSSES[loss]

    def forward(self, raw_BPCR: Tensor, shift_B1C: Tensor | None,
                scale_B1C: Tensor | None) -> Tensor:
        return _affine(raw_BPCR, shift_B1C, scale_B1C)

    def loss(self, output_BPCR: Tensor, target_BPC: Tensor,
             observed_BPC: Tensor | None = None) -> Tensor:
        if observed_BPC is None:  # one fused kernel
            return self._loss(output_BPCR.squeeze(-1), target_BPC)
        return super().loss(output_BPCR, target_BPC, observed_BPC)

    def losses(self, output_BPCR: Tensor, target_BPC: Tensor) -> Tensor:
        return self._loss(output_BPCR.squeeze(-1), target_BPC, reduction='none')

    def forecast(self, output_BPCR: Tensor) -> Forecast:
        return Forecast(output_BPCR.squeeze(-1))


@MODELS.register_module()
class QuantileHead(ForecastHead):
    """Quantiles that never cross, learnt by the pinball loss (Koenker and Bassett 1978).

    The quantile whose level is nearest 0.5 is the point forecast. Each of the others is the next
    one towards it plus or minus a softplus, so their order holds whatever the weights.

    Args:
        levels: The quantiles' levels, ascending, in (0, 1).

    Raises:
        ConfigError: the levels are not ascending numbers between 0 and 1.

    >>> head = QuantileHead(levels=(0.1, 0.5, 0.9))
    >>> head.forecast(head(torch.randn(2, 4, 1, 3), None, None)).quantiles.diff().min() >= 0
    tensor(True)
    """

    def __init__(self, levels: Sequence[float] = (0.1, 0.5, 0.9)):
        super().__init__()
        self.levels = _checked(levels, 'QuantileHead')
        self.size = len(self.levels)
        self.centre = _nearest_half(self.levels)
        self.register_buffer('_levels_Q', torch.tensor(self.levels), persistent=False)

    def forward(self, raw_BPCR: Tensor, shift_B1C: Tensor | None,
                scale_B1C: Tensor | None) -> Tensor:
        # Added one by one: a parallel cumulative sum may round neighbours in different ways.
        steps = functional.softplus(raw_BPCR[..., 1:]).unbind(-1)
        ordered = [raw_BPCR[..., 0]]
        for step in steps[:self.centre]:
            ordered.insert(0, ordered[0] - step)
        for step in steps[self.centre:]:
            ordered.append(ordered[-1] + step)
        return _affine(torch.stack(ordered, -1), shift_B1C, scale_B1C)

    def losses(self, output_BPCR: Tensor, target_BPC: Tensor) -> Tensor:
        return pinball_losses(target_BPC.unsqueeze(-1) - output_BPCR, self._levels_Q,
                              torch).mean(-1)

    def forecast(self, output_BPCR: Tensor) -> Forecast:
        return Forecast(output_BPCR[..., self.centre], output_BPCR, self.levels)


@MODELS.register_module()
class GaussianHead(ForecastHead):
    """A normal distribution for each value, learnt by its negative log-likelihood.

    Args:
        levels: Levels of the quantiles that a forecast states, ascending, in (0, 1).
        smallest_deviation: Below this, in units normalised per window, a deviation is not let: a
            series that stands still would make the likelihood unbounded.

    Raises:
        ConfigError: the levels are not ascending numbers between 0 and 1, or the deviation is not
            positive.

    >>> forecast = GaussianHead(levels=(0.5, 0.975)).forecast(torch.tensor([[[[1.0, 2.0]]]]))
    >>> [round(quantile, 2) for quantile in forecast.quantiles.flatten().tolist()]
    [1.0, 4.92]
    """

    size = 2

    def __init__(self, levels: Sequence[float] = (0.1, 0.5, 0.9),
                 smallest_deviation: float = 1e-3):
        super().__init__()
        if smallest_deviation <= 0:
            raise ConfigError(f'GaussianHead got `smallest_deviation` {smallest_deviation}',
                              hint='a positive number')
        self.levels = _checked(levels, 'GaussianHead')
        self.smallest_deviation = smallest_deviation
        normal = NormalDist()
        self.register_buffer('_deviates_Q', torch.tensor(
            [normal.inv_cdf(level) for level in self.levels]), persistent=False)

    def forward(self, raw_BPCR: Tensor, shift_B1C: Tensor | None,
                scale_B1C: Tensor | None) -> Tensor:
        """As in the base; the R numbers are mean and deviation."""
        deviation_BPCR = functional.softplus(raw_BPCR[..., 1:]) + self.smallest_deviation
        return torch.cat([_affine(raw_BPCR[..., :1], shift_B1C, scale_B1C),
                          _affine(deviation_BPCR, None, scale_B1C)], -1)

    def losses(self, output_BPCR: Tensor, target_BPC: Tensor) -> Tensor:
        mean_BPC, deviation_BPC = output_BPCR.unbind(-1)
        return ((target_BPC - mean_BPC) / deviation_BPC).square() / 2 + deviation_BPC.log() \
            + log(2 * pi) / 2

    def forecast(self, output_BPCR: Tensor) -> Forecast:
        mean_BPCR, deviation_BPCR = output_BPCR[..., :1], output_BPCR[..., 1:]
        return Forecast(mean_BPCR.squeeze(-1), mean_BPCR + deviation_BPCR * self._deviates_Q,
                        self.levels)


def _checked(levels: Sequence[float], name: str) -> tuple[float, ...]:
    levels = tuple(levels)
    rising = all(low < high for low, high in pairwise((0, *levels, 1)))
    if not levels or not rising:
        raise ConfigError(f'{name} got levels {levels}',
                          hint='ascending numbers between 0 and 1, such as (0.1, 0.5, 0.9)')
    return levels


def _nearest_half(levels: tuple[float, ...]) -> int:
    return min(range(len(levels)), key=lambda q: abs(levels[q] - 0.5))


def _affine(value_BPCR: Tensor, shift_B1C: Tensor | None, scale_B1C: Tensor | None) -> Tensor:
    if scale_B1C is not None:
        value_BPCR = value_BPCR * scale_B1C.unsqueeze(-1)
    return value_BPCR if shift_B1C is None else value_BPCR + shift_B1C.unsqueeze(-1)
