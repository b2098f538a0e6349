"""Forecasts what follows the end of a file by a model of PyTorch."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import torch
from torch import nn

from amlnn.data.series.ends import LastWindows
from amlnn.engine.options import PredictOptions
from amlnn.engine.plan import Plan
from amlnn.engine.rehearsal import as_config_error
from amlnn.engine.series.end_forecast import Forecasts, forecast_ends
from amlnn.engine.series.exported import ExportedForecaster, NotExported, given_arrays
from amlnn.engine.series.exporting import exported
from amlnn.engine.series.parts import SeriesParts
from amlnn.engine.weights import Weights

__all__ = ['forecast_file']

# S series

_TOGETHER = 1024  # series that are forecast at once


def forecast_file(model: nn.Module, plan: Plan, parts: SeriesParts, weights: Weights,
                  options: PredictOptions) -> Iterator[str]:
    """Forecast the steps after the end of a file; see `forecast_ends`, errors too.

    Args:
        model: With the checkpoint's weights.
        plan: Its plan.
        parts: What it knows of its series.
        weights: The checkpoint, with its intervals.
        options: Which file, and where to.
    """
    model.eval()
    found: list[ExportedForecaster | None] = []

    def forecast(windows: LastWindows) -> Forecasts:
        if not found:
            found.append(exported(model, plan, options.checkpoint, windows))
        with suppress(NotExported):
            if found[0] is not None:
                return found[0](windows)
        return _forecast(model, plan, windows)

    yield from forecast_ends(parts, options, weights.content.get('intervals') or [], forecast)


def _forecast(model: nn.Module, plan: Plan, windows: LastWindows) -> Forecasts:
    points, quantiles = [], []
    arrays = given_arrays(windows)
    for first in range(0, len(windows.inputs), _TOGETHER):
        batch = {name: torch.from_numpy(each[first:first + _TOGETHER])
                 for name, each in arrays.items()}
        with as_config_error('a forecast'), torch.inference_mode(), plan.forward_context():
            batch = model.data_preprocessor(batch, False)
            forecast = model(**batch, mode='predict')
        points.append(forecast.point.float().cpu().numpy())
        if forecast.quantiles is not None:
            quantiles.append(forecast.quantiles.float().cpu().numpy())
    return np.concatenate(points), np.concatenate(quantiles) if quantiles else None
