"""Forecasts what follows the end of a file, into a CSV with times and intervals."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import DATASETS
from torch import nn

from amlnn.atomic import write_text
from amlnn.config.kind import PARTS
from amlnn.data.series.scaling import StandardScaler
from amlnn.data.series.series import Series
from amlnn.engine.options import PredictOptions
from amlnn.engine.plan import Plan
from amlnn.engine.series.evaluation import interval_bounds
from amlnn.engine.series.parts import SeriesParts
from amlnn.engine.task import Weights
from amlnn.errors import CheckpointError, DataError, UsageError

__all__ = ['check_file', 'forecast_file']

# L look-back, P horizon, C target columns, E extra input columns


def check_file(options: PredictOptions) -> None:
    """Refuse what means nothing to a forecaster, and more than one file.

    Raises:
        UsageError: names the option.
    """
    if len(options.inputs) != 1:
        raise UsageError(f'a forecaster takes one file, got {len(options.inputs)}',
                         hint='python tools/predict.py CONFIG CHECKPOINT series.csv --out out.csv')
    for name, given in (('--topk', options.topk is not None), ('--json', options.json)):
        if given:
            raise UsageError(f'{name} is for classifiers, and this is a forecast',
                             hint='leave it out; the forecast is a CSV')


def forecast_file(model: nn.Module, plan: Plan, parts: SeriesParts, weights: Weights,
                  options: PredictOptions) -> Iterator[str]:
    """Forecast the steps after the end of a file; the lines of a CSV, or where it was written.

    Columns: `time` where the file has times (they go on by its step), `step` from 1, then for every
    forecast column its point forecast under its own name, and `<name>_low_80`, `<name>_high_80`,
    ... for each interval that the checkpoint holds; all in the units of the file.

    Args:
        model: With the checkpoint's weights.
        plan: Its plan.
        parts: What it knows of its series.
        weights: The checkpoint, with its intervals.
        options: Which file, and where to.

    Raises:
        AmlnnError: the file cannot be read, is too short, or has other columns than the checkpoint.
    """
    info = parts.metainfo
    series = _read(plan, parts, Path(options.inputs[0]))
    inputs, observed = _window(series, info, weights.path, options.inputs[0])
    model.eval()
    batch = model.data_preprocessor({'inputs': inputs, **observed}, False)
    with torch.inference_mode(), plan.forward_context():
        forecast = model(**batch, mode='predict')
    point = forecast.point.float().cpu().numpy()
    quantiles = None if forecast.quantiles is None else forecast.quantiles.float().cpu().numpy()
    bounds = interval_bounds(weights.content.get('intervals') or [], point, quantiles)
    text = _text(series, info, point, bounds)
    if options.out:
        write_text(options.out, text)
        text = f'written: {options.out}\n'
    yield from text.splitlines()


def _read(plan: Plan, parts: SeriesParts, path: Path) -> Series:
    """The file, read as the config reads its own."""
    part = next(part for part in reversed(PARTS) if plan.config.get(f'{part}_dataloader'))
    source = dict(parts.source_section(part))
    if 'path' not in source:
        name = 'ArraySeries' if path.suffix in ('.npy', '.npz') else 'CSVSeries'
        source = {'type': name, 'missing': 'mask'}
    source.pop('rows', None)  # the end of the file counts
    return DATASETS.build({**source, 'path': str(path)}).read()


def _window(series: Series, info: dict, checkpoint: Path, file: str):
    """The last window [1, L, C + E] in scaled units, and what of it was observed."""
    names = [*info['columns'], *info['extra_columns']]
    missing = [name for name in names if name not in series.columns]
    if missing:
        raise CheckpointError(
            f'`{checkpoint}` was trained with columns {", ".join(names)}, and `{file}` has no '
            f'`{missing[0]}`', hint=f'`{file}` has {", ".join(series.columns)}')
    rows, length = len(series.values), info['look_back']
    if rows < length:
        raise DataError(f'`{file}` has {rows} rows, and the model looks back on {length}',
                        hint=f'give at least {length} rows')
    places = [series.columns.index(name) for name in names]
    values, observed = (each[-length:, places] for each in (series.values, series.observed))
    scaled = StandardScaler.from_dict(info['scaler']).transform(values)
    inputs = torch.from_numpy(np.where(observed, scaled, 0).astype(np.float32))[None]
    masks = {} if observed.all() else {'observed': torch.from_numpy(observed)[None]}
    return inputs, masks


def _text(series: Series, info: dict, point: np.ndarray, bounds: list) -> str:
    count, horizon = len(info['columns']), info['horizon']
    state = {name: values[:count] for name, values in info['scaler'].items()}
    scaler = StandardScaler.from_dict(state)
    header, columns = ['step'], [[str(step) for step in range(1, horizon + 1)]]
    times = _times(series, info, horizon)
    if times is not None:
        header.insert(0, 'time')
        columns.insert(0, [str(time).replace('T', ' ') for time in times])
    arrays = [('', scaler.inverse(point[0]))]
    for level, low, high in bounds:
        arrays += [(f'_{side}_{100 * level:g}', scaler.inverse(values[0]))
                   for side, values in (('low', low), ('high', high))]
    for place, name in enumerate(info['columns']):
        for ending, values in arrays:
            header.append(f'{name}{ending}')
            columns.append([f'{value:.7g}' for value in values[:, place]])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def _times(series: Series, info: dict, horizon: int) -> np.ndarray | None:
    step = series.step_seconds or info['step_seconds']
    if series.times is None or not step:
        return None
    ahead = np.arange(1, horizon + 1) * np.timedelta64(round(step), 's')
    return series.times[-1] + ahead
