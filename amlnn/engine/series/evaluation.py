"""Evaluating a forecaster: metrics, mean loss and every window's forecast in one pass."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from mmengine.model import is_model_wrapper
from mmengine.registry import DATASETS
from torch import nn

from amlnn.atomic import replacing
from amlnn.data.series.windows import SeriesWindows
from amlnn.engine.gathering import Gathering
from amlnn.engine.measured import numbers_and_arrays
from amlnn.engine.series.parts import SeriesParts
from amlnn.formulas.calibrated_windows import Forecasted, ForecastWindows
from amlnn.formulas.conformal import fit_intervals, margins_by_series

__all__ = ['ForecastEvaluation', 'evaluate_forecaster', 'forecast_windows', 'window_names',
           'write_components', 'write_forecasts']

# N windows, P future steps, C target columns, Q quantile levels


@dataclass
class ForecastEvaluation:
    """What one pass over windows gives, in scaled units.

    Of several processes the first one has all of it, the others the numbers alone.
    """

    metrics: dict[str, float]
    arrays: dict[str, list]
    """What metrics give that is no number, as lists."""
    loss: float | None
    """Mean over windows of the head's loss."""
    dataset: SeriesWindows
    forecasts: np.ndarray
    """float32 [N, P, C]: point forecasts of the first N windows, in the order of time."""
    quantiles: np.ndarray | None
    """float32 [N, P, C, Q]; None from a head that gives a point alone."""
    levels: tuple[float, ...] | None
    """The Q levels."""
    samples: int
    """N."""
    seconds: float
    _targets: tuple[np.ndarray, np.ndarray | None] | None = field(default=None, repr=False)

    @property
    def targets(self) -> np.ndarray:
        """float32 [N, P, C]; 0 where missing."""
        return self._truth()[0]

    @property
    def observed(self) -> np.ndarray | None:
        """bool [N, P, C]: False where the target is missing; None where none is."""
        return self._truth()[1]

    @property
    def windows(self) -> ForecastWindows:
        """The N windows, as intervals are made for them."""
        whole = Forecasted(self.forecasts, self.targets, self.observed, self.quantiles)
        return ForecastWindows.of_arrays(whole, self.dataset.window_codes(np.arange(self.samples)),
                                         self.dataset.stride, self.levels)

    def _truth(self):
        # Gathered on demand: most epochs need metrics alone.
        if self._targets is None:
            batch = self.dataset.__getitems__(list(range(self.samples)))
            observed = batch.get('target_observed')
            self._targets = (batch['targets'].numpy(),
                             None if observed is None else observed.numpy())
        return self._targets

    def intervals(self) -> list[dict]:
        """Conformal margins (see `amlnn.formulas.conformal.fit_intervals`), for a checkpoint.

        Returns:
            [{'level': float, 'ends': places of the two quantiles that are widened or None for the
            point, 'margin': tensor [P, C]}, ...]; a level that takes more windows is left out.
        """
        fitted = fit_intervals(self.targets, self.forecasts, self.quantiles, self.levels,
                               self.observed)
        found = [{'level': each.level, 'ends': None if each.ends is None else list(each.ends),
                  'margin': torch.from_numpy(each.margin.astype(np.float32))} for each in fitted]
        if self.dataset.ids:
            own = margins_by_series(
                fitted, self.dataset.window_codes(np.arange(self.samples)),
                len(self.dataset.scaler.ids), self.targets, self.forecasts, self.quantiles,
                self.levels, self.observed)
            for each, margins in zip(found, own, strict=True):
                each['by_series'] = torch.from_numpy(margins.astype(np.float32))
        return found


@torch.inference_mode()
def evaluate_forecaster(model: nn.Module, loader, evaluator, context: Callable,
                        on_batch: Callable[[int], None] = lambda windows: None
                        ) -> ForecastEvaluation:
    """Run a forecaster over all windows of a part in eval mode; every window counts once.

    Args:
        model: A Forecaster, or what it is wrapped in.
        loader: A WindowLoader in the order of time.
        evaluator: MMEngine's Evaluator.
        context: Makes the context of a forward pass, such as autocast.
        on_batch: Told the number of windows after each batch.
    """
    inner = model.module if is_model_wrapper(model) else model
    inner.eval()
    begin = time.perf_counter()
    levels = None
    gathering = Gathering(evaluator)
    for batch in loader:
        batch = inner.data_preprocessor(batch, False)
        with context():
            forecast, loss = _forecast(inner, batch)
        count = len(batch['inputs'])
        quantiles = None
        if forecast.quantiles is not None:
            quantiles, levels = forecast.quantiles.float().cpu(), tuple(forecast.levels)
        # The loss stays a tensor: one wait for the device at the end.
        gathering.add((forecast.point.float().cpu(), quantiles, loss * count), [forecast], batch)
        on_batch(count)
    batches = gathering.batches()
    samples = sum(len(point) for point, _, _ in batches)

    def numbers() -> dict:
        metrics, arrays = numbers_and_arrays(gathering.measured(samples))
        total = 0.0
        for _, _, loss in batches:
            total = total + loss
        return dict(metrics=metrics, arrays=arrays, loss=float(total) / samples, samples=samples)

    known = gathering.processes.on_first(numbers)
    points, quantiles = ([each[place] for each in batches] for place in (0, 1))
    return ForecastEvaluation(
        **known, dataset=loader.dataset,
        forecasts=torch.cat(points).numpy() if points else np.empty(0, np.float32),
        quantiles=torch.cat(quantiles).numpy() if quantiles and quantiles[0] is not None else None,
        levels=levels, seconds=time.perf_counter() - begin)


@torch.inference_mode()
def forecast_windows(model: nn.Module, dataset: SeriesWindows, context: Callable, batch_size: int
                     ) -> ForecastWindows:
    """Forecast all windows of a part, by one process alone.

    Args:
        model: A Forecaster, or what it is wrapped in.
        dataset: The windows.
        context: Makes the context of a forward pass.
        batch_size: Windows at a time.
    """
    inner = model.module if is_model_wrapper(model) else model
    inner.eval()
    found, levels = [], None
    for first in range(0, len(dataset), batch_size):
        batch = dataset.__getitems__(range(first, min(first + batch_size, len(dataset))))
        observed = batch.get('target_observed')
        with context():
            forecast, _ = _forecast(inner, inner.data_preprocessor(dict(batch), False))
        quantiles = None
        if forecast.quantiles is not None:
            quantiles, levels = forecast.quantiles.float().cpu().numpy(), tuple(forecast.levels)
        found.append((forecast.point.float().cpu().numpy(), batch['targets'].numpy(),
                      None if observed is None else observed.numpy(), quantiles))
    whole = Forecasted(*(None if each[0] is None else np.concatenate(each)
                         for each in zip(*found, strict=True)))
    return ForecastWindows.of_arrays(whole, dataset.window_codes(np.arange(len(dataset))),
                                     dataset.stride, levels)


def write_forecasts(path: Path, evaluation: ForecastEvaluation, metainfo: dict) -> None:
    """Write `predictions_<split>.npz` (see amlnn.records)."""
    count, dataset = len(metainfo['columns']), evaluation.dataset
    arrays = dict(
        id=window_names(dataset, evaluation.samples), target=evaluation.targets,
        forecast=evaluation.forecasts, columns=np.array(metainfo['columns']))
    if dataset.ids:
        scaler = dataset.scaler
        arrays |= dict(ids=np.array(scaler.ids), mean=scaler.mean[:, :count],
                       deviation=scaler.deviation[:, :count],
                       series=dataset.window_codes(np.arange(evaluation.samples)))
    else:
        arrays |= dict(mean=np.array(metainfo['scaler']['mean'][:count]),
                       deviation=np.array(metainfo['scaler']['deviation'][:count]))
    if evaluation.observed is not None:
        arrays['observed'] = evaluation.observed
    if evaluation.quantiles is not None:
        arrays |= dict(quantiles=evaluation.quantiles, levels=np.array(evaluation.levels))
    # Not compressed: floats of a network hardly shrink, and it would take longer than the forecast.
    with replacing(path) as temporary:
        np.savez(temporary, **arrays)


def write_components(path: Path, parts: SeriesParts) -> None:
    """Write `components.npz` (see amlnn.records), if the series is generated."""
    source = DATASETS.build(parts.source_section('train'))
    if not hasattr(source, 'components'):
        return
    dataset, series = parts.dataset('train'), source.read()
    places = [series.columns.index(name) for name in dataset.columns]
    truth = {name: values[:, places] if values.dtype == bool else
             values[:, places].astype(np.float32) for name, values in source.components().items()}
    with replacing(path) as temporary:
        np.savez(temporary, **truth, columns=np.array(dataset.columns), times=series.times,
                 borders=np.array(dataset.borders))


def window_names(dataset: SeriesWindows, count: int) -> np.ndarray:
    """[N] str: the time of each window's first target, or its row in a series without times.

    A series that knows its zone has times as clocks show them, with their offset.
    """
    rows = dataset.window_start_rows(np.arange(count)) + dataset.look_back
    return np.array(dataset.time_names(rows))


def _forecast(model: nn.Module, batch: dict):
    """Forecast of a batch, and its loss, in one pass where the model is a Forecaster."""
    head = getattr(model, 'head', None)
    if head is None or not hasattr(head, 'forecast'):
        return model(**batch, mode='predict'), model(**batch, mode='loss')['loss']
    given = {name: value for name, value in batch.items()
             if name not in ('targets', 'target_observed')}
    output = model(**given, mode='tensor')
    return head.forecast(output), head.loss(output, batch['targets'],
                                            batch.get('target_observed'))
