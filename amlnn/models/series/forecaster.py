"""A forecaster: normalisation per window, a recurrent encoder, a head.

All columns are read in the units of the batch. Each window is normalised by what it holds itself,
so nothing here is fitted on data.
"""

# B windows, L past steps, P future steps, C target columns, E extra columns, F features of a step,
# S series (B, or B times C with independent channels), K = numbers per series and future step,
# R numbers per value, w steps fed back at once

from typing import ClassVar

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from amlnn.errors import ConfigError, DataError
from amlnn.formulas.gaps import fill_forward
from amlnn.formulas.seasons import season_means
from amlnn.models.series.forecast_heads import Forecast
from amlnn.models.series.recurrent import Task

__all__ = ['Forecaster', 'LastValue', 'RevIN', 'SeasonalMean']


@MODELS.register_module()
class Forecaster(BaseModel):
    """Forecasts all target columns from a window of the past.

    **Missing values.** A value that was not observed is replaced by the last one observed before
    it in the window; at the window's beginning by the first one observed; by 0, the training mean
    of scaled data, in a window without any. With `missing_indicator` the encoder also reads, for
    every column, 1 where the value was replaced. What is stored at such a place is never read, and
    missing targets do not count in the loss.

    **Extra columns** are read, but neither forecast nor normalised per window (they may be hours
    or holidays). Recursive decoding, which needs their future, treats it as missing.

    Args:
        encoder: Config of a recurrent encoder; its `task` is filled in.
        head: Config of a head.
        look_back: Past steps of a window, L.
        horizon: Future steps, P.
        channels: Target columns, C: the first of the inputs.
        extra_channels: Further input columns, E.
        channel_independent: Whether one network forecasts each target column from its own past and
            the extra columns, the same network for all; otherwise it reads all columns together.
        decoding: 'direct', all future steps at once, or 'recursive': one step (one segment, with
            segments) at a time, each read again before the next. Training rolls out the whole
            horizon as well, so both meet the same inputs.
        normalization: 'last' subtracts a window's last value per column and adds it to the
            forecast (NLinear, Zeng et al. 2022, arXiv:2205.13504), 'revin' does so with mean and
            deviation (`RevIN`), 'season' subtracts the mean over the same steps of all whole
            periods in the window (`SeasonalMean`), 'none' nothing.
        season: Steps of a period, for 'season'.
        missing_indicator: Whether the encoder reads which values were missing.

    Raises:
        ConfigError: an option has none of the values it can have, or a size is missing or too
            small.
        DataError: inputs of another shape, or a value that is not finite and not marked as missing.

    >>> model = Forecaster(dict(type='GRU', hidden_size=8), dict(type='PointHead'),
    ...                    look_back=12, horizon=4, channels=2)
    >>> model(torch.zeros(5, 12, 2), mode='predict').point.shape
    torch.Size([5, 4, 2])
    """

    builds: ClassVar = {'encoder': ('MODELS', 'task')}

    def __init__(self, encoder: dict, head: dict, look_back: int | None = None,
                 horizon: int | None = None, channels: int | None = None,
                 extra_channels: int | None = 0, channel_independent: bool = True,
                 decoding: str = 'direct', normalization: str = 'last',
                 season: int | None = None, missing_indicator: bool = False):
        super().__init__()
        sizes = dict(look_back=look_back, horizon=horizon, channels=channels)
        for name, size in sizes.items():
            if size is None or size < 1:
                raise ConfigError(f'Forecaster got `{name}` {size}',
                                  hint='a number from 1; a training run takes it from the data set')
        _one_of('decoding', decoding, ('direct', 'recursive'))
        normalizations = dict(
            last=LastValue, revin=lambda: RevIN(channels), none=Unchanged,
            season=lambda: SeasonalMean(look_back, horizon, season))
        _one_of('normalization', normalization, tuple(normalizations))
        self.look_back, self.horizon, self.channels = look_back, horizon, channels
        self.extra_channels = extra_channels or 0
        self.channel_independent = channel_independent
        self.missing_indicator = missing_indicator
        self.normalization = normalizations[normalization]()
        self.head = MODELS.build(head)
        together = 1 if channel_independent else channels
        self.encoder = MODELS.build(encoder, default_args=dict(task=Task(
            look_back=look_back,
            horizon=horizon,
            features=(together + self.extra_channels) * (2 if missing_indicator else 1),
            outputs=together * self.head.size,
            channels=channels if channel_independent else 1,
            recursive=decoding == 'recursive')))

    def forward(self, inputs: Tensor, targets: Tensor | None = None, index: Tensor | None = None,
                observed: Tensor | None = None, target_observed: Tensor | None = None,
                mode: str = 'tensor') -> dict[str, Tensor] | Forecast | Tensor:
        """Forecast a batch, or take its loss.

        Args:
            inputs: [B, L, C + E], target columns first.
            targets: [B, P, C], for the loss.
            index: [B], the windows' numbers, for error messages.
            observed: [B, L, C + E], False where a value is missing.
            target_observed: [B, P, C], False where a value is missing.
            mode: 'loss' gives {'loss': scalar}; 'predict' a `Forecast`; 'tensor' the head's output
                [B, P, C, R], of which `head.loss` and `head.forecast` make the other two.

        Raises:
            DataError: see the class.
        """
        self._check_shape('inputs', inputs, self.look_back, self.channels + self.extra_channels)
        x_BLD = inputs if observed is None else fill_forward(inputs, observed, xp=torch)
        _check_finite(x_BLD, index, 'inputs')
        C = self.channels
        z_BLC, shift_BPC, scale_B1C = self.normalization(
            x_BLD[..., :C], None if observed is None else observed[..., :C])
        x_SLF, feed_back = self._series(z_BLC, x_BLD[..., C:], observed)
        raw_SPK = self.encoder(x_SLF, feed_back)
        output_BPCR = self.head(self._columns(raw_SPK), shift_BPC, scale_B1C)
        if mode == 'tensor':
            return output_BPCR
        if mode == 'predict':
            return self.head.forecast(output_BPCR)
        if mode != 'loss':
            raise ValueError(f'no mode `{mode}`')
        self._check_shape('targets', targets, self.horizon, C)
        if target_observed is None:
            _check_finite(targets, index, 'targets')
        return dict(loss=self.head.loss(output_BPCR, targets, target_observed))

    def _series(self, z_BLC: Tensor, extra_BLE: Tensor, observed: Tensor | None):
        """Features of each step, and what makes them of forecast steps."""
        B, L, C = z_BLC.shape
        future = []  # what recursive decoding reads beside its own forecasts
        if self.channel_independent:
            parts = [z_BLC.transpose(1, 2).reshape(B * C, L, 1)]
        else:
            parts = [z_BLC]

        def add(values_BLX: Tensor, next_B1X: Tensor) -> None:
            if self.channel_independent:
                values_BLX, next_B1X = (t.repeat_interleave(C, 0) for t in (values_BLX, next_B1X))
            parts.append(values_BLX)
            future.append(next_B1X)

        if self.extra_channels:
            add(extra_BLE, extra_BLE[:, -1:])
        if self.missing_indicator:
            missing_BLD = z_BLC.new_zeros(B, L, C + self.extra_channels) if observed is None \
                else (~observed).to(z_BLC.dtype)
            own_BLC, rest_BLE = missing_BLD[..., :C], missing_BLD[..., C:]
            if self.channel_independent:
                parts.append(own_BLC.transpose(1, 2).reshape(B * C, L, 1))
                future.append(z_BLC.new_zeros(B * C, 1, 1))
            else:
                add(own_BLC, torch.zeros_like(own_BLC[:, :1]))
            if self.extra_channels:
                add(rest_BLE, torch.ones_like(rest_BLE[:, :1]))

        def feed_back(raw_SwK: Tensor) -> Tensor:
            centre_SwX = raw_SwK[..., ::self.head.size]
            rest = [known_S1X.expand(-1, centre_SwX.shape[1], -1) for known_S1X in future]
            return torch.cat([centre_SwX, *rest], -1) if rest else centre_SwX

        return (torch.cat(parts, -1) if len(parts) > 1 else parts[0]), feed_back

    def _columns(self, raw_SPK: Tensor) -> Tensor:
        """[S, P, K] to [B, P, C, R]."""
        P, C, R = self.horizon, self.channels, self.head.size
        if self.channel_independent:
            return raw_SPK.view(-1, C, P, R).transpose(1, 2)
        return raw_SPK.view(-1, P, C, R)

    def _check_shape(self, name: str, value: Tensor | None, steps: int, columns: int) -> None:
        if value is None or value.ndim != 3 or value.shape[1:] != (steps, columns):
            got = None if value is None else tuple(value.shape)
            raise DataError(
                f'Forecaster got {name} of shape {got}, not (windows, {steps}, {columns})',
                hint='the data set gives other windows or columns than the model was made for')


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


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f'Forecaster has no {name} `{value}`', hint=f'one of {", ".join(known)}')


def _check_finite(x_BTD: Tensor, index: Tensor | None, name: str) -> None:
    if torch.isfinite(x_BTD.sum()):  # one pass; the place is looked for only where there is one
        return
    bad = (~torch.isfinite(x_BTD)).nonzero()
    if not len(bad):
        return  # large numbers, whose sum alone overflowed
    window, step, column = bad[0].tolist()
    number = window if index is None else int(index[window])
    raise DataError(
        f'window {number} has {x_BTD[window, step, column].item()} in its {name}, step {step}, '
        f'column {column}', hint="read the series with `missing='mask'`, or fill the gap")
