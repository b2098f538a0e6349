"""Errors of forecasts, summed up batch by batch.

A batch is what `SeriesWindows` gives, its forecast what a `Forecaster` makes of it: `point`
[B, P, C], and from some heads `quantiles` [B, P, C, Q] with their `levels` [Q], all in scaled
units. Values that are missing do not count.
"""

# B windows of a batch, P future steps, C target columns, Q quantile levels

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from torch import Tensor

from amlnn.errors import ConfigError
from amlnn.formulas.forecast_errors import (
    error_sums,
    mean_errors,
    relative_errors,
    scaled_error,
    symmetric_error,
)
from amlnn.formulas.quantiles import central_levels, inside, place_of_level, quantile_scores
from amlnn.formulas.scales import unscaled

__all__ = ['ForecastError', 'QuantileError']


class _SummedMetric(BaseMetric):
    """A metric that keeps sums and no forecasts.

    Args:
        items: What to report.
        prefix: Put before every name instead of the metric's own.
    """

    known: tuple[str, ...]

    def __init__(self, items: Sequence[str], prefix: str | None):
        super().__init__(prefix=prefix)
        unknown = [name for name in items if name not in self.known]
        if unknown or isinstance(items, str) or not items:
            raise ConfigError(
                f'{type(self).__name__} got items={items!r}' if isinstance(items, str) or not items
                else f'{type(self).__name__} has no item `{unknown[0]}`',
                hint=f'a list of some of {", ".join(self.known)}')
        self.items = tuple(items)

    def process(self, data_batch: dict, data_samples: Sequence) -> None:
        """Add a batch; `data_samples` holds its forecast as the only element."""
        forecast = data_samples[0]
        observed = data_batch.get('target_observed')
        sums = self.sums(forecast, data_batch['targets'], observed, data_batch.get('series'))
        sums['count'] = torch.full_like(sums['count'], len(data_batch['targets'])) \
            if observed is None else observed.sum(0)
        sums = {name: value.double() for name, value in sums.items()}
        if not self.results:
            self.results.append(sums)
            return
        for name, value in sums.items():
            self.results[0][name] += value

    def sums(self, forecast, target_BPC: Tensor, observed_BPC: Tensor | None,
             series_B: Tensor | None) -> dict[str, Tensor]:
        """Sums over the windows of a batch, [P, C] each.

        Args:
            forecast: See the module.
            target_BPC: What came true.
            observed_BPC: False where that is missing.
            series_B: Of a panel, the place of each window's series.
        """
        raise NotImplementedError

    def scale(self, name: str, series_B: Tensor | None = None) -> Tensor:
        """[C] float64: the data set's numbers of each target column; of a panel [B, 1, C]."""
        state = self.dataset_meta['scaler'] if name in ('mean', 'deviation') else self.dataset_meta
        count = len(self.dataset_meta['columns'])
        if series_B is None:
            return torch.tensor(state[name][:count], dtype=torch.float64)
        return torch.from_numpy(state[name][series_B.cpu().numpy(), None, :count])


@METRICS.register_module()
class ForecastError(_SummedMetric):
    """Errors of point forecasts: means over windows, steps and columns.

    `mse` and `mae` are in scaled units, as published tables have them; `mse_original` and
    `mae_original` in those of the data. `mase` divides each column's absolute error by that of the
    seasonal naive forecast within the training rows (`scaled_error` in
    `amlnn.formulas.forecast_errors`); `smape` is 200 |e| / (|y| + |f|), in percent of 200, in the
    units of the data (`symmetric_error`). Of a panel every window is taken in the units of its own
    series; `mase` is then the mean over all values whose series has a naive error.

    Args:
        items: What to report: of mse, mae, mse_original, mae_original, mase, smape.
        prefix: Put before every name instead of 'forecast'.

    Raises:
        ConfigError: there is no such item.
    """

    default_prefix = 'forecast'
    reports = ('{items}',)
    known = ('mse', 'mae', 'mse_original', 'mae_original', 'mase', 'smape')

    def __init__(self, items: Sequence[str] = ('mse', 'mae', 'mse_original', 'mae_original'),
                 prefix: str | None = None):
        super().__init__(items, prefix)

    def sums(self, forecast, target_BPC: Tensor, observed_BPC: Tensor | None,
             series_B: Tensor | None) -> dict[str, Tensor]:
        """See the class above."""
        error_BPC = forecast.point.float() - target_BPC
        squared_PC, absolute_PC = error_sums(error_BPC, observed_BPC, axis=0, xp=torch)
        found = dict(squared=squared_PC, absolute=absolute_PC, count=squared_PC)
        if series_B is not None:
            found |= self._sums_by_series(error_BPC, observed_BPC, series_B)
        if 'smape' in self.items:
            mean_C, deviation_C = (self.scale(name, series_B).to(target_BPC) for name in
                                   ('mean', 'deviation'))
            target_BPC, point_BPC = (unscaled(each_BPC, mean_C, deviation_C)
                                     for each_BPC in (target_BPC, forecast.point))
            relative_BPC = relative_errors(error_BPC.abs() * deviation_C, target_BPC, point_BPC,
                                           torch)
            if observed_BPC is not None:
                relative_BPC = torch.where(observed_BPC, relative_BPC, 0.0)
            found['relative'] = relative_BPC.sum(0)
        return found

    def _sums_by_series(self, error_BPC: Tensor, observed_BPC: Tensor | None,
                        series_B: Tensor) -> dict[str, Tensor]:
        """Errors in the units of each window's series, and by its naive error."""
        error_BPC = error_BPC.double()
        squared_PC, absolute_PC = error_sums(
            error_BPC * self.scale('deviation', series_B).to(error_BPC.device), observed_BPC, 0,
            torch)
        found = dict(squared_original=squared_PC, absolute_original=absolute_PC)
        if 'mase' in self.items:
            naive_B1C = self.scale('naive_error', series_B).to(error_BPC.device)
            counted_BPC = (naive_B1C > 0).expand_as(error_BPC)
            if observed_BPC is not None:
                counted_BPC = counted_BPC & observed_BPC
            ratio_BPC = error_BPC.abs() / torch.where(naive_B1C > 0, naive_B1C, 1.0)
            found |= dict(by_naive=torch.where(counted_BPC, ratio_BPC, 0.0).sum(0),
                          naive_count=counted_BPC.sum(0))
        return found

    def compute_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, float]:
        """The items, of sums [P, C]."""
        by_column = {name: value.sum(0).cpu() for name, value in _summed(results).items()}
        absolute_C, count_C = by_column['absolute'], by_column['count']
        if 'squared_original' in by_column:
            return self._of_panel(by_column)
        found = mean_errors(by_column['squared'], absolute_C, count_C, self.scale('deviation'))
        if 'mase' in self.items:
            found['mase'] = scaled_error(absolute_C, count_C, self.scale('naive_error'))
        if 'smape' in self.items:
            found['smape'] = symmetric_error(by_column['relative'], count_C)
        return {name: found[name] for name in self.items}

    def _of_panel(self, sums: dict[str, Tensor]) -> dict[str, float]:
        count = sums['count'].sum().clamp(min=1)
        names = dict(mse='squared', mae='absolute', mse_original='squared_original',
                     mae_original='absolute_original')
        found = {name: float(sums[key].sum() / count) for name, key in names.items()}
        if 'mase' in self.items:
            found['mase'] = float(sums['by_naive'].sum() / sums['naive_count'].sum())
        if 'smape' in self.items:
            found['smape'] = symmetric_error(sums['relative'], sums['count'])
        return {name: found[name] for name in self.items}


@METRICS.register_module()
class QuantileError(_SummedMetric):
    """How good quantile forecasts are: means over windows, steps and columns, in scaled units.

    `crps` is twice the mean pinball loss over the head's levels, which for evenly spaced levels is
    the continuous ranked probability score's approximation (`quantile_scores` in
    `amlnn.formulas.quantiles`); `coverage` is the share of values inside the central interval of
    `level`, `width` that interval's mean width.

    Args:
        level: Share of values that the central interval claims to hold.
        items: What to report: of crps, coverage, width.
        prefix: Put before every name instead of 'quantile'.

    Raises:
        ConfigError: there is no such item, or the head does not forecast the interval's ends.
    """

    default_prefix = 'quantile'
    reports = ('{items}',)
    known = ('crps', 'coverage', 'width')

    def __init__(self, level: float = 0.8, items: Sequence[str] = ('crps', 'coverage', 'width'),
                 prefix: str | None = None):
        super().__init__(items, prefix)
        if not 0 < level < 1:
            raise ConfigError(f'QuantileError got level={level}', hint='between 0 and 1: 0.8, say')
        self.level = level

    def sums(self, forecast, target_BPC: Tensor, observed_BPC: Tensor | None,
             series_B: Tensor | None) -> dict[str, Tensor]:
        """See the class above."""
        if forecast.quantiles is None:
            raise ConfigError('QuantileError needs quantiles, and the head gives a point alone',
                              hint="model.head.type='QuantileHead', or take the metric out")
        quantiles_BPCQ = forecast.quantiles.float()
        levels_Q = quantiles_BPCQ.new_tensor(forecast.levels)
        low_BPC, high_BPC = (quantiles_BPCQ[..., self._place(forecast.levels, level)]
                             for level in central_levels(self.level))
        found = dict(
            crps=quantile_scores(target_BPC.unsqueeze(-1) - quantiles_BPCQ, levels_Q, torch),
            coverage=inside(target_BPC, low_BPC, high_BPC).float(), width=high_BPC - low_BPC)
        if observed_BPC is not None:
            found = {name: torch.where(observed_BPC, value, 0.0) for name, value in found.items()}
        found = {name: value.sum(0) for name, value in found.items()}
        return {**found, 'count': found['width']}

    def compute_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, float]:
        """The items, of sums [P, C]."""
        sums = _summed(results)
        count = sums['count'].sum().clamp(min=1)
        return {name: float(sums[name].sum() / count) for name in self.items}

    def _place(self, levels: Sequence[float], wanted: float) -> int:
        place = place_of_level(levels, wanted)
        if place is None:
            raise ConfigError(f'QuantileError needs the level {wanted:g}, and the head has '
                              f'{", ".join(f"{level:g}" for level in levels)}',
                              hint='add it to model.head.levels, or choose another `level`')
        return place


def _summed(results: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The sums of all windows; each of several processes has one of its own."""
    total = dict(results[0])
    for sums in results[1:]:
        for name, value in sums.items():
            total[name] = total[name] + value
    return total
