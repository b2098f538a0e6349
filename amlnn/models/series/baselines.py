"""Forecasts that any model must beat, most of them without anything to train.

Each is a `Baseline`. BASELINES lists them in the order of a table.

Axes: T training rows, N windows, L look-back, P horizon, C target columns.
"""

import warnings

import numpy as np
from mmengine.registry import MODELS

from amlnn.errors import ConfigError, DataError
from amlnn.formulas.seasons import season_means
from amlnn.models.series.baseline import Baseline
from amlnn.models.series.ridge import Ridge
from amlnn.records import REPEAT_LAST, TRAIN_MEAN

__all__ = ['ARIMA', 'BASELINES', 'ETS', 'STATISTICAL', 'Baseline', 'RepeatLast', 'Ridge',
           'SameHourMean', 'SeasonalNaive', 'Theta', 'TrainMean', 'WindowMean']


@MODELS.register_module()
class TrainMean(Baseline):
    """The mean of the series' training rows; of the look-back in a series that training had not."""

    def predict(self, inputs: np.ndarray, observed: np.ndarray | None = None,
                known: np.ndarray | None = None, series: np.ndarray | None = None) -> np.ndarray:
        """Forecast; see `Baseline.predict`."""
        place_N = self._places(series, len(inputs))
        mean_NC = self.means[place_N]
        if (place_N < 0).any():
            window_NC = self._filled(inputs, observed, series).mean(axis=1)
            mean_NC = np.where(place_N[:, None] < 0, window_NC, mean_NC)
        return self._ahead(mean_NC)


@MODELS.register_module()
class RepeatLast(Baseline):
    """The last value, again and again."""

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._ahead(inputs_NLC[:, -1])


@MODELS.register_module()
class WindowMean(Baseline):
    """The mean of the look-back."""

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._ahead(inputs_NLC.mean(axis=1))


@MODELS.register_module()
class SeasonalNaive(Baseline):
    """The last season, again and again."""

    def prepare(self, columns: int, look_back: int, horizon: int, season: int | None) -> Baseline:
        """Take sizes; see `Baseline.prepare`."""
        super().prepare(columns, look_back, horizon, season)
        self.season = self._need_season(season)
        return self

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._cycle(inputs_NLC[:, -self.season:])


@MODELS.register_module()
class SameHourMean(Baseline):
    """The mean, for each place in the season, of all whole seasons of the look-back."""

    def prepare(self, columns: int, look_back: int, horizon: int, season: int | None) -> Baseline:
        """Take sizes; see `Baseline.prepare`."""
        super().prepare(columns, look_back, horizon, season)
        self.season = self._need_season(season)
        return self

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._cycle(season_means(inputs_NLC, self.season))


class _Statistical(Baseline):
    """A model of the package statsforecast, fitted anew to the look-back of every window.

    For a window and column that takes from milliseconds (Theta) to a second (ARIMA), more the
    longer look-back and season are.

    Raises:
        ConfigError: statsforecast is not installed.
        DataError: it fits nothing to a window, as where that has very few rows.
    """

    model: str

    def require(self) -> type:
        """The package's class.

        Raises:
            ConfigError: statsforecast is not installed.
        """
        try:
            from statsforecast import models
        except ImportError:
            raise ConfigError(f'{type(self).__name__} needs the package statsforecast',
                              hint='pip install statsforecast') from None
        return getattr(models, self.model)

    def prepare(self, columns: int, look_back: int, horizon: int, season: int | None) -> Baseline:
        """Take sizes; see `Baseline.prepare`."""
        super().prepare(columns, look_back, horizon, season)
        self._class, self.season = self.require(), season or 1
        return self

    def _build(self, rows: int):
        return self._class(season_length=self.season)

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        forecast_NPC = np.empty((len(inputs_NLC), self.horizon, self.columns))
        for window, place in np.ndindex(len(inputs_NLC), self.columns):
            values_L = np.ascontiguousarray(inputs_NLC[window, :, place])
            forecast_NPC[window, :, place] = self._forecast(values_L)
        return forecast_NPC

    def _forecast(self, values_L: np.ndarray) -> np.ndarray | float:
        if values_L.min() == values_L.max():  # nothing to fit
            return values_L[-1]
        name = type(self).__name__
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')  # of forms that were tried, and not chosen
                found = self._build(len(values_L)).forecast(y=values_L, h=self.horizon)
        except Exception as error:  # of any kind, from deep within another's library
            raise DataError(
                f'{name} cannot be fitted to a window of {len(values_L)} rows with a season of '
                f'{self.season}: {error}',
                hint=f'leave {name.lower()} out of --baselines, or lengthen look_back') from error
        if not np.isfinite(found['mean']).all():
            raise DataError(f'{name} forecasts values that are not finite',
                            hint=f'leave {name.lower()} out of --baselines')
        return found['mean']


@MODELS.register_module()
class ETS(_Statistical):
    """Exponential smoothing, its form chosen by AICc; see `_Statistical`.

    Source: R. J. Hyndman, A. B. Koehler, R. D. Snyder and S. Grose, A state space framework for
    automatic forecasting using exponential smoothing methods, International Journal of Forecasting
    18 (2002) 439-454.
    """

    model = 'AutoETS'


@MODELS.register_module()
class Theta(_Statistical):
    """The Theta method, its form chosen by error; see `_Statistical`.

    Source: J. A. Fiorucci and others, Models for optimising the theta method and their relationship
    to state space models, International Journal of Forecasting 32 (2016) 1151-1161.
    """

    model = 'AutoTheta'


@MODELS.register_module()
class ARIMA(_Statistical):
    """Seasonal ARIMA, its orders chosen by AICc; see `_Statistical`.

    Orders are compared by an approximation in windows over 150 rows or with a season over 12, as
    `auto.arima` of the R package does by default: five times as fast.

    Source: R. J. Hyndman and Y. Khandakar, Automatic time series forecasting: the forecast package
    for R, Journal of Statistical Software 27 (2008).
    """

    model = 'AutoARIMA'

    def _build(self, rows: int):
        return self._class(season_length=self.season,
                           approximation=rows > 150 or self.season > 12)


BASELINES = {
    TRAIN_MEAN: TrainMean, REPEAT_LAST: RepeatLast, 'window mean': WindowMean,
    'seasonal naive': SeasonalNaive, 'same-hour mean': SameHourMean, 'ridge': Ridge,
}
"""The rows of every table, by name."""

STATISTICAL = {'ETS': ETS, 'Theta': Theta, 'ARIMA': ARIMA}
"""Further rows where statsforecast is installed, of windows that are asked for."""
