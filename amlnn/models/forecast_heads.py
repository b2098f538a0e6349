"""What a forecaster says about each future value: one number, quantiles, or a distribution.

A head owns no layer. It says how many numbers R a value needs, turns those that the network gives
into values in the units of the batch, and knows their loss. The first of the R numbers is always
the centre: what recursive decoding feeds back.
"""

# B windows, P future steps, C target columns, R numbers per value, Q quantile levels

from typing import NamedTuple

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from amlnn.errors import ConfigError

__all__ = ['Forecast', 'ForecastHead', 'PointHead']


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


def _affine(value_BPCR: Tensor, shift_B1C: Tensor | None, scale_B1C: Tensor | None) -> Tensor:
    if scale_B1C is not None:
        value_BPCR = value_BPCR * scale_B1C.unsqueeze(-1)
    return value_BPCR if shift_B1C is None else value_BPCR + shift_B1C.unsqueeze(-1)
