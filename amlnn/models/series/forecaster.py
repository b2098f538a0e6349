"""A forecaster: normalisation per window, a recurrent encoder, a head.

All columns are read in the units of the batch. Each window is normalised by what it holds itself,
so nothing here is fitted on data.
"""

# B windows, L past steps, P future steps, C target columns, E extra columns, K known columns,
# F features of a step, S series (B, or B times C with independent channels), R numbers per value,
# O = numbers per series and future step, w steps fed back at once

import copy
from typing import ClassVar

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from amlnn.errors import ConfigError, DataError
from amlnn.formulas.gaps import fill_forward
from amlnn.models.series.cycle import LearntCycle
from amlnn.models.series.forecasting_model import ForecastingModel
from amlnn.models.series.local_forecasters import LocalForecasters
from amlnn.models.series.normalization import LastValue, RevIN, SeasonalMean, Unchanged
from amlnn.models.series.random_slope import RandomSlope
from amlnn.models.series.recurrent import Task

__all__ = ['Forecaster', 'KnownEffect']


@MODELS.register_module()
class Forecaster(ForecastingModel):
    """Forecasts all target columns from a window of the past.

    **Missing values.** A value that was not observed is replaced by the last one observed before
    it in the window; at the window's beginning by the first one observed; by 0, the training mean
    of scaled data, in a window without any. With `missing_indicator` the encoder also reads, for
    every column, 1 where the value was replaced. What is stored at such a place is never read, and
    missing targets do not count in the loss.

    **Extra columns** are read, but neither forecast nor normalised per window (they may be hours
    or holidays). Recursive decoding, which needs their future, treats it as missing.

    **A cycle** (CycleNet, Lin et al. 2024, arXiv:2409.18479) is learnt as a number for each of its
    steps and each target column, taken away from the past before a window is normalised and added
    to the forecast: so the network forecasts how a series departs from its usual week, also where
    the look-back is shorter than that. Where in it a window lies follows from the times.

    **Known columns** are known of the future too: holidays, prices. What they add to the targets is
    learnt as a linear effect, taken away from the past before a window is normalised and added to
    the forecast, as in a regression with autocorrelated errors: so a holiday on a window's last day
    does not lower the days after it. The encoder reads them beside the extra columns, and the
    decoder reads those of the future.

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
        cycle: Steps of a cycle that is learnt; 'auto' for the season of the data set or a week,
            whichever repeats better in the training part; None for none.
        mixing: Config of what lets the columns of a normalised window read each other, before a
            network reads each by itself: dict(type='ColumnMixer'). None for nothing.
        missing_indicator: Whether the encoder reads which values were missing.
        known_channels: Columns known of the future, K: the last of the inputs.
        per_series: Whether each series has a model of its own (`LocalForecasters`), instead of one
            for all.
        series_count: How many series there are, for `per_series`; none counts as one.
        random_slope: By how much training windows are tilted (`RandomSlope`): for series whose
            trend turns.

    Raises:
        ConfigError: an option has none of the values it can have, or a size is missing or too
            small; more models are asked for than can be kept.
        DataError: inputs of another shape, or a value that is not finite and not marked as missing;
            a window of a series that has no model.

    >>> model = Forecaster(dict(type='GRU', hidden_size=8), dict(type='PointHead'),
    ...                    look_back=12, horizon=4, channels=2)
    >>> model(torch.zeros(5, 12, 2), mode='predict').point.shape
    torch.Size([5, 4, 2])
    """

    builds: ClassVar = {'encoder': ('MODELS', 'task'), 'mixing': ('MODELS', 'channels')}

    def __init__(self, encoder: dict, head: dict, look_back: int | None = None,
                 horizon: int | None = None, channels: int | None = None,
                 extra_channels: int | None = 0, channel_independent: bool = True,
                 decoding: str = 'direct', normalization: str = 'last',
                 season: int | None = None, missing_indicator: bool = False,
                 known_channels: int | None = 0, per_series: bool = False,
                 series_count: int | None = None, random_slope: float = 0.0,
                 cycle: int | str | None = None, mixing: dict | None = None):
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
        self.extra_channels, self.known_channels = extra_channels or 0, known_channels or 0
        self.channel_independent = channel_independent
        self.missing_indicator = missing_indicator
        self.normalization = normalizations[normalization]()
        self.tilt = RandomSlope(random_slope)
        self.head = MODELS.build(head)
        together = 1 if channel_independent else channels
        self.encoder = MODELS.build(encoder, default_args=dict(task=Task(
            look_back=look_back,
            horizon=horizon,
            features=(together + self.extra_channels + self.known_channels)
            * (2 if missing_indicator else 1),
            outputs=together * self.head.size,
            channels=channels if channel_independent else 1,
            recursive=decoding == 'recursive',
            known=self.known_channels)))
        self.effect = self.members = self.cycle = self.mixing = None
        if self.known_channels:
            self.effect = KnownEffect(self.known_channels, channels)
        if cycle is not None:
            self.cycle = LearntCycle(cycle, channels, look_back, horizon)
        if mixing is not None:
            if not channel_independent:
                raise ConfigError('`model.mixing` is for columns that are read one by one',
                                  hint='model.channel_independent=True, or leave it out')
            self.mixing = MODELS.build(mixing, default_args=dict(channels=channels))
        if per_series:
            members = LocalForecasters(copy.deepcopy(self), series_count or 1)
            del self.encoder, self.normalization, self.effect, self.cycle, self.mixing
            self.members = members

    def _for_training(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return self.tilt(inputs, targets)

    def _check_targets(self, targets: Tensor | None, index: Tensor | None,
                       observed: Tensor | None) -> None:
        self._check_shape('targets', targets, self.horizon, self.channels)
        if observed is None:
            _check_finite(targets, index, 'targets')

    def _output(self, inputs: Tensor, index: Tensor | None, observed: Tensor | None,
                known: Tensor | None, series: Tensor | None, position: Tensor | None) -> Tensor:
        if self.members is not None:
            return self.members(inputs, index, observed, known, series, position)
        C, K = self.channels, self.known_channels
        self._check_shape('inputs', inputs, self.look_back, C + self.extra_channels + K)
        x_BLD = inputs if observed is None else fill_forward(inputs, observed, xp=torch)
        _check_finite(x_BLD, index, 'inputs')
        x_BLC, more = x_BLD[..., :C], ()
        seen_BLC = None if observed is None else observed[..., :C]
        if K:
            self._check_shape('known', known, self.horizon, K)
            _check_finite(known, index, 'known columns',
                          'the future rows of known columns have no gaps')
            more = (known,)
        usual = self._usual(x_BLD, known, position)
        if usual:
            x_BLC = self._without(usual[0], inputs, seen_BLC)
        z_BLC, shift_BPC, scale_B1C = self.normalization(x_BLC, seen_BLC)
        if usual:
            shift_BPC = usual[1] if shift_BPC is None else shift_BPC + usual[1]
        if self.mixing is not None:
            z_BLC = self.mixing(z_BLC)
        x_SLF, feed_back = self._series(z_BLC, x_BLD[..., C:], observed, *more)
        raw_SPO = self.encoder(x_SLF, feed_back, *more)
        return self.head(self._columns(raw_SPO), shift_BPC, scale_B1C)

    def _usual(self, x_BLD: Tensor, known: Tensor | None, position: Tensor | None
               ) -> tuple[Tensor, Tensor] | None:
        """Known columns' effect and the learnt cycle: of the past [B, L, C], of the future."""
        parts = []
        if self.effect is not None:
            parts.append((self.effect(x_BLD[..., -self.known_channels:]), self.effect(known)))
        if self.cycle is not None:
            parts.append(self.cycle(position))
        if len(parts) < 2:
            return parts[0] if parts else None
        return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]

    def _without(self, usual_BLC: Tensor, inputs: Tensor, seen_BLC: Tensor | None) -> Tensor:
        rest_BLC = inputs[..., :self.channels] - usual_BLC
        if seen_BLC is None:
            return rest_BLC
        # Filled afterwards: what goes on over a gap is the level, not a holiday before it.
        return fill_forward(rest_BLC, seen_BLC, xp=torch)

    def _series(self, z_BLC: Tensor, beside_BLX: Tensor, observed: Tensor | None,
                known_BPK: Tensor | None = None):
        """Features of each step, and what makes them of forecast steps."""
        B, L, C = z_BLC.shape
        future = []  # [S, P, X]: what recursive decoding reads beside its own forecasts
        if self.channel_independent:
            parts = [z_BLC.transpose(1, 2).reshape(B * C, L, 1)]
        else:
            parts = [z_BLC]

        def add(values_BLX: Tensor, next_BQX: Tensor) -> None:
            if self.channel_independent:
                values_BLX, next_BQX = (t.repeat_interleave(C, 0) for t in (values_BLX, next_BQX))
            parts.append(values_BLX)
            future.append(next_BQX.expand(-1, self.horizon, -1))

        if beside_BLX.shape[-1]:
            add(beside_BLX, self._ahead(beside_BLX[:, -1:], known_BPK))
        if self.missing_indicator:
            missing_BLD = z_BLC.new_zeros(B, L, C + beside_BLX.shape[-1]) if observed is None \
                else (~observed).to(z_BLC.dtype)
            own_BLC, rest_BLX = missing_BLD[..., :C], missing_BLD[..., C:]
            if self.channel_independent:
                parts.append(own_BLC.transpose(1, 2).reshape(B * C, L, 1))
                future.append(z_BLC.new_zeros(B * C, self.horizon, 1))
            else:
                add(own_BLC, torch.zeros_like(own_BLC[:, :1]))
            if beside_BLX.shape[-1]:
                add(rest_BLX, self._ahead(
                    torch.ones_like(rest_BLX[:, :1]),
                    None if known_BPK is None else torch.zeros_like(known_BPK)))

        def feed_back(raw_SwO: Tensor, first: int) -> Tensor:
            centre_SwX = raw_SwO[..., ::self.head.size]
            if self.mixing is not None:
                centre_BCw = centre_SwX.reshape(-1, C, centre_SwX.shape[1])
                centre_SwX = self.mixing(centre_BCw.transpose(1, 2)).transpose(1, 2).reshape(
                    centre_SwX.shape)
            rest = [each_SPX[:, first:first + centre_SwX.shape[1]] for each_SPX in future]
            return torch.cat([centre_SwX, *rest], -1) if rest else centre_SwX

        return (torch.cat(parts, -1) if len(parts) > 1 else parts[0]), feed_back

    def _ahead(self, last_B1X: Tensor, known_BPK: Tensor | None) -> Tensor:
        """Extra columns as they are last, known ones as they will be: [B, P, E + K], or [B, 1, E]
        without any that are known."""
        if known_BPK is None:
            return last_B1X
        last_B1E = last_B1X[..., :self.extra_channels]
        return torch.cat([last_B1E.expand(-1, self.horizon, -1), known_BPK], -1)

    def _columns(self, raw_SPO: Tensor) -> Tensor:
        """[S, P, O] to [B, P, C, R]."""
        P, C, R = self.horizon, self.channels, self.head.size
        if self.channel_independent:
            return raw_SPO.view(-1, C, P, R).transpose(1, 2)
        return raw_SPO.view(-1, P, C, R)

    def _check_shape(self, name: str, value: Tensor | None, steps: int, columns: int) -> None:
        if value is None or value.ndim != 3 or value.shape[1:] != (steps, columns):
            got = None if value is None else tuple(value.shape)
            raise DataError(
                f'Forecaster got {name} of shape {got}, not (windows, {steps}, {columns})',
                hint='the data set gives other windows or columns than the model was made for')


class KnownEffect(nn.Linear):
    """What known columns add to each target column, in units of the batch; nothing at first.

    The weights are a tenth of the effect, so that a step of Adam moves it ten times as far as it
    moves other weights: else the readouts learn the future's half of the effect first, and that of
    the past stays in the windows.

    Args:
        known: Known columns, K.
        channels: Target columns, C.
    """

    def __init__(self, known: int, channels: int):
        super().__init__(known, channels, bias=False)
        nn.init.zeros_(self.weight)

    def forward(self, known_BTK: Tensor) -> Tensor:
        """[B, T, C]."""
        return 10 * super().forward(known_BTK)


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f'Forecaster has no {name} `{value}`', hint=f'one of {", ".join(known)}')


def _check_finite(x_BTD: Tensor, index: Tensor | None, name: str,
                  hint: str = "read the series with `missing='mask'`, or fill the gap") -> None:
    if torch.isfinite(x_BTD.sum()):  # one pass; the place is looked for only where there is one
        return
    bad = (~torch.isfinite(x_BTD)).nonzero()
    if not len(bad):
        return  # large numbers, whose sum alone overflowed
    window, step, column = bad[0].tolist()
    number = window if index is None else int(index[window])
    raise DataError(
        f'window {number} has {x_BTD[window, step, column].item()} in its {name}, step {step}, '
        f'column {column}', hint=hint)
