"""Forecasts what follows the end of a file by a model of PyTorch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from amlnn.data.series.ends import LastWindows
from amlnn.engine.options import PredictOptions
from amlnn.engine.plan import Plan
from amlnn.engine.rehearsal import as_config_error
from amlnn.engine.series.end_forecast import Forecasts, forecast_ends
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
    yield from forecast_ends(parts, options, weights.content.get('intervals') or [],
                             lambda windows: _forecast(model, plan, windows))


def _forecast(model: nn.Module, plan: Plan, windows: LastWindows) -> Forecasts:
    model.eval()
    points, quantiles = [], []
    for first in range(0, len(windows.inputs), _TOGETHER):
        rows = slice(first, first + _TOGETHER)
        batch = {'inputs': windows.inputs[rows], 'observed': windows.observed,
                 'known': windows.known, 'series': windows.codes if windows.series.ids else None,
                 'position': windows.position}
        batch = {name: torch.from_numpy(each if name == 'inputs' else each[rows])
                 for name, each in batch.items() if each is not None}
        with as_config_error('a forecast'), torch.inference_mode(), plan.forward_context():
            batch = model.data_preprocessor(batch, False)
            forecast = model(**batch, mode='predict')
        points.append(forecast.point.float().cpu().numpy())
        if forecast.quantiles is not None:
            quantiles.append(forecast.quantiles.float().cpu().numpy())
    return np.concatenate(points), np.concatenate(quantiles) if quantiles else None
