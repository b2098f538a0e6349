"""Forecasts that any model must beat, most of them without anything to train.

Each takes `fit(train_values, look_back, horizon, season)`, then `predict(inputs) -> forecasts`, in
whatever units the values have. BASELINES lists them in the order of a table.

Axes: T training rows, N windows, L look-back, P horizon, C target columns, F columns of the input,
the targets first.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from amlnn.errors import ConfigError, DataError
from amlnn.formulas.gaps import fill_forward
from amlnn.formulas.seasons import season_means
from amlnn.records import REPEAT_LAST, TRAIN_MEAN

__all__ = ['ARIMA', 'BASELINES', 'ETS', 'STATISTICAL', 'Baseline', 'RepeatLast', 'Ridge',
           'SameHourMean', 'SeasonalNaive', 'Theta', 'TrainMean', 'WindowMean']


class Baseline:
    """What all baselines share: missing inputs are filled, extra columns are left aside."""

    look_back: int | None = None
    """Rows of input that it is meant for; None for as many as the model has."""

    def fit(self, train_values: np.ndarray, look_back: int, horizon: int,
            season: int | None) -> 'Baseline':
        """Learn from the training rows.

        Args:
            train_values: [T, C], NaN where missing.
            look_back: Rows of input that `predict` will get.
            horizon: Rows that it will forecast.
            season: Rows of the main cycle, None where there is none.

        Returns:
            The baseline itself.

        Raises:
            DataError: the baseline needs what the series does not have: a season, or more rows.
        """
        self.columns, self.rows, self.horizon = train_values.shape[1], look_back, horizon
        self._fit(np.asarray(train_values, dtype=np.float64), season)
        return self

    def predict(self, inputs: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
        """Forecast.

        Args:
            inputs: [N, L, F], the C target columns first.
            observed: [N, L, F] bool; a missing input is given the last value before it.

        Returns:
            [N, P, C] float64.
        """
        inputs_NLC = np.asarray(inputs[..., :self.columns], dtype=np.float64)
        if observed is not None:
            known_NLC = np.asarray(observed)[..., :self.columns] & ~np.isnan(inputs_NLC)
            inputs_NLC = fill_forward(inputs_NLC, known_NLC, self.filling)
        return self._predict(inputs_NLC)

    filling: np.ndarray | float = 0.0
    """[C]: what a column without any value in the look-back is filled with."""

    def _fit(self, train_TC: np.ndarray, season: int | None) -> None:
        known = ~np.isnan(train_TC)
        self.filling = np.where(known, train_TC, 0).sum(axis=0) / known.sum(axis=0).clip(min=1)

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _ahead(self, value_NC: np.ndarray) -> np.ndarray:
        """[N, P, C]: the same value at every step."""
        return np.repeat(value_NC[:, None], self.horizon, axis=1)

    def _cycle(self, cycle_NSC: np.ndarray) -> np.ndarray:
        """[N, P, C]: a cycle of S rows again and again."""
        return cycle_NSC[:, np.arange(self.horizon) % cycle_NSC.shape[1]]

    def _need_season(self, season: int | None) -> int:
        name = type(self).__name__
        if season is None:
            raise DataError(f'{name} needs a season, and the series has none known',
                            hint='season=24 of the data set, for days of hours')
        if season > self.rows:
            raise DataError(f'{name} needs a season of {season} rows, the look-back has '
                            f'{self.rows}', hint=f'look_back={season} or more')
        return season


class TrainMean(Baseline):
    """The mean of the training rows."""

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._ahead(np.broadcast_to(self.filling, (len(inputs_NLC), self.columns)))


class RepeatLast(Baseline):
    """The last value, again and again."""

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._ahead(inputs_NLC[:, -1])


class WindowMean(Baseline):
    """The mean of the look-back."""

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._ahead(inputs_NLC.mean(axis=1))


class SeasonalNaive(Baseline):
    """The last season, again and again."""

    def _fit(self, train_TC: np.ndarray, season: int | None) -> None:
        super()._fit(train_TC, season)
        self.season = self._need_season(season)

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._cycle(inputs_NLC[:, -self.season:])


class SameHourMean(Baseline):
    """The mean, for each place in the season, of all whole seasons of the look-back."""

    def _fit(self, train_TC: np.ndarray, season: int | None) -> None:
        super()._fit(train_TC, season)
        self.season = self._need_season(season)

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        return self._cycle(season_means(inputs_NLC, self.season))


class Ridge(Baseline):
    """Linear regression of all steps on the look-back, after its last value is taken away.

    One matrix [L, P] for all columns, in closed form. The normal equations are summed up block by
    block, so that neither time nor memory grows with the number of windows at once; the penalty is
    the one of `alphas` with the least squared error on the validation rows, or, without any, on the
    last fifth of the training rows, and is then used on all of them.

    Args:
        alphas: Penalties to choose from, in units of the inputs' sum of squares, meant over the
            rows of the look-back: the same whatever the scale and the number of windows.

    Raises:
        DataError: no window fits into the training rows.

    Source: the idea of NLinear, A. Zeng, M. Chen, L. Zhang and Q. Xu, Are transformers effective
    for time series forecasting?, AAAI 2023, arXiv:2205.13504; the closed form, W. Toner and L.
    Darlow, An analysis of linear time series forecasting models, ICML 2024, arXiv:2403.14587.
    """

    look_back = 336

    def __init__(self, alphas: Sequence[float] = (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)):
        self.alphas = alphas

    def fit(self, train_values: np.ndarray, look_back: int, horizon: int, season: int | None,
            validation: np.ndarray | None = None) -> 'Ridge':
        """Learn from the training rows; see `Baseline.fit`.

        Args:
            train_values: [T, C], NaN where missing.
            look_back: Rows of input.
            horizon: Rows to forecast.
            season: Not used.
            validation: [V, C], the rows that follow; None to choose the penalty without them.
        """
        self._validation = validation
        return super().fit(train_values, look_back, horizon, season)

    def _fit(self, train_TC: np.ndarray, season: int | None) -> None:
        super()._fit(train_TC, season)
        whole = _Moments(self.rows, self.horizon)
        length = self.rows + self.horizon
        if len(train_TC) < length:
            raise DataError(f'Ridge: {len(train_TC)} training rows hold no window of '
                            f'{self.rows} + {self.horizon}', hint='shorten look_back or horizon')
        if self._validation is not None:
            whole.add(train_TC)
            chosen, unseen = whole, np.concatenate([train_TC[-self.rows:], self._validation])
        else:
            cut = max(length, len(train_TC) - max(len(train_TC) // 5, self.horizon))
            chosen = _Moments(self.rows, self.horizon)
            chosen.add(train_TC[:cut])
            unseen = train_TC[max(0, cut - self.rows):]
            whole.add(train_TC)
        held = _Moments(self.rows, self.horizon)
        held.add(unseen)
        self.alpha = self._choose(chosen, held)
        self.weights = whole.solve([self.alpha])[0]

    def _choose(self, chosen: '_Moments', held: '_Moments') -> float:
        if not held.count:  # no window was left to choose by
            return sorted(self.alphas)[len(self.alphas) // 2]
        errors = [held.error(weights) for weights in chosen.solve(self.alphas)]
        return self.alphas[int(np.argmin(errors))]

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        last_N1C = inputs_NLC[:, -1:]
        forecast_NCP = (inputs_NLC - last_N1C).swapaxes(1, 2) @ self.weights
        return forecast_NCP.swapaxes(1, 2) + last_N1C


class _Moments:
    """Sums of products of windows less their last input: all that least squares needs."""

    block = 2048  # windows that are copied at once

    def __init__(self, look_back: int, horizon: int):
        self.look_back = look_back
        self.length = look_back + horizon
        self.count = 0
        self.products_LW = np.zeros((look_back, self.length))
        self.target_squares = 0.0

    def add(self, values_TC: np.ndarray) -> None:
        """Add all windows of a series; a gap is filled, and windows with a gap ahead left out."""
        if len(values_TC) < self.length:
            return
        for column_T in values_TC.T:
            missing_T = np.isnan(column_T)
            if missing_T.all():
                continue
            filled_T = fill_forward(column_T[None, :, None], ~missing_T[None, :, None])[0, :, 0]
            windows_NW = sliding_window_view(filled_T, self.length)
            ahead_N = sliding_window_view(missing_T, self.length)[:, self.look_back:]
            for first in range(0, len(windows_NW), self.block):
                block_BW = windows_NW[first:first + self.block]
                if missing_T.any():
                    block_BW = block_BW[~ahead_N[first:first + self.block].any(axis=1)]
                block_BW = block_BW - block_BW[:, self.look_back - 1, None]
                self.products_LW += block_BW[:, :self.look_back].T @ block_BW
                self.target_squares += np.square(block_BW[:, self.look_back:]).sum()
                self.count += len(block_BW)

    def solve(self, alphas: Sequence[float]) -> list[np.ndarray]:
        """[L, P] weights for each penalty."""
        products_LL = self.products_LW[:, :self.look_back]
        size = np.trace(products_LL) / self.look_back or 1.0
        values_L, vectors_LL = np.linalg.eigh(products_LL)
        turned_LP = vectors_LL.T @ self.products_LW[:, self.look_back:]
        return [vectors_LL @ (turned_LP / (values_L.clip(min=0) + alpha * size)[:, None])
                for alpha in alphas]

    def error(self, weights_LP: np.ndarray) -> float:
        """Sum of squared errors of these weights, without a forecast being made."""
        products_LL = self.products_LW[:, :self.look_back]
        targets_LP = self.products_LW[:, self.look_back:]
        return float(self.target_squares
                     + (weights_LP * (products_LL @ weights_LP - 2 * targets_LP)).sum())


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

    def _fit(self, train_TC: np.ndarray, season: int | None) -> None:
        super()._fit(train_TC, season)
        self._class, self.season = self.require(), season or 1

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


class ETS(_Statistical):
    """Exponential smoothing, its form chosen by AICc; see `_Statistical`.

    Source: R. J. Hyndman, A. B. Koehler, R. D. Snyder and S. Grose, A state space framework for
    automatic forecasting using exponential smoothing methods, International Journal of Forecasting
    18 (2002) 439-454.
    """

    model = 'AutoETS'


class Theta(_Statistical):
    """The Theta method, its form chosen by error; see `_Statistical`.

    Source: J. A. Fiorucci and others, Models for optimising the theta method and their relationship
    to state space models, International Journal of Forecasting 32 (2016) 1151-1161.
    """

    model = 'AutoTheta'


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
