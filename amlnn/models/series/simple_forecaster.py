"""A simple method as a model: fitted in closed form, then trained, tested and asked like any other.
"""

# B windows, L past steps, P future steps, C target columns, E extra columns, K known columns,
# S series of the training

from typing import ClassVar

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from amlnn.errors import ConfigError, DataError
from amlnn.models.series.baseline import Baseline
from amlnn.models.series.fitting import FittingData
from amlnn.models.series.forecast_heads import PointHead
from amlnn.models.series.forecasting_model import ForecastingModel

__all__ = ['SimpleForecaster']


@MODELS.register_module()
class SimpleForecaster(ForecastingModel):
    """A `Baseline` as a model: nothing is trained step by step, one epoch fits it.

    What it learns are parameters without gradients, in double precision; a method that learns
    nothing but the mean of each series has that one. Extra columns are not read, known ones by
    `Ridge` alone.

    Args:
        method: Config of a baseline: dict(type='Ridge'), 'SeasonalNaive', 'SameHourMean',
            'RepeatLast', 'WindowMean', 'TrainMean'; and 'ETS', 'Theta', 'ARIMA', which fit every
            window anew.
        look_back: Past steps of a window, L.
        horizon: Future steps, P.
        channels: Target columns, C: the first of the inputs.
        season: Steps of the main cycle, None where there is none.
        known_channels: Columns known of the future, K: the last of the inputs.
        series_count: S, how many series the training has; none counts as one.

    Raises:
        ConfigError: a size is missing, the method is none, or needs a package that is missing.
        DataError: the method needs a season, and there is none or one longer than the look-back.

    >>> model = SimpleForecaster(dict(type='RepeatLast'), look_back=3, horizon=2, channels=1)
    >>> model(torch.tensor([[[1.0], [2.0], [4.0]]]), mode='predict').point.flatten().tolist()
    [4.0, 4.0]
    """

    builds: ClassVar = {'method': 'MODELS'}
    fitted_at_once: ClassVar = True

    def __init__(self, method: dict, look_back: int | None = None, horizon: int | None = None,
                 channels: int | None = None, season: int | None = None,
                 known_channels: int | None = 0, series_count: int | None = None):
        super().__init__()
        if look_back is None or horizon is None or channels is None:
            raise ConfigError('SimpleForecaster got no look_back, horizon or channels',
                              hint='a training run takes them from the data set')
        self.look_back, self.horizon, self.channels = look_back, horizon, channels
        self.season, self.series_count = season, series_count or 1
        kind = MODELS.get(str(method.get('type')))
        if not (isinstance(kind, type) and issubclass(kind, Baseline)):
            raise ConfigError(f'`model.method` is {method.get("type")}, which is no simple method',
                              hint="model.method=dict(type='Ridge')")
        self.method = MODELS.build(method)
        self.method.prepare(channels, look_back, horizon, season)
        self.head = PointHead()
        self.learnt = nn.ParameterDict({
            name: nn.Parameter(torch.zeros(shape, dtype=torch.float64), requires_grad=False)
            for name, shape in self.method.shapes(self.series_count, known_channels or 0).items()})

    def fit(self, data: FittingData) -> None:
        """Learn from the rows of the training part.

        Raises:
            DataError: the method needs more rows.
        """
        self.method.fit(data.training, self.look_back, self.horizon, self.season, data.validation)
        for name, value in self.method.learnt().items():
            self.learnt[name].copy_(torch.as_tensor(value))

    def _output(self, inputs: Tensor, index: Tensor | None, observed: Tensor | None,
                known: Tensor | None, series: Tensor | None, position: Tensor | None) -> Tensor:
        if inputs.ndim != 3 or inputs.shape[1] != self.look_back \
                or inputs.shape[2] < self.channels:
            raise DataError(
                f'{type(self.method).__name__} got inputs of shape {tuple(inputs.shape)}, not '
                f'(windows, {self.look_back}, {self.channels} or more)',
                hint='the data set gives other windows or columns than the model was made for')
        self.method.take({name: value.detach().cpu().numpy()
                          for name, value in self.learnt.items()})
        if series is not None:  # those that training had not come behind its own
            series = torch.where(series < self.series_count, series, -1)
        given = {name: value.cpu().numpy() for name, value in dict(
            observed=observed, known=known, series=series).items() if value is not None}
        forecast_BPC = self.method.predict(inputs.cpu().numpy(), **given)
        return torch.as_tensor(forecast_BPC, dtype=inputs.dtype,
                               device=inputs.device).unsqueeze(-1)
