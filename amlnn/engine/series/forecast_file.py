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
from amlnn.data.series.continuation import lay_on_trained_grid, trained_grid
from amlnn.data.series.scaling import StandardScaler
from amlnn.data.series.series import Series
from amlnn.data.series.windows import check_end
from amlnn.engine.options import PredictOptions
from amlnn.engine.plan import Plan
from amlnn.engine.series.evaluation import interval_bounds
from amlnn.engine.series.parts import SeriesParts
from amlnn.engine.weights import Weights
from amlnn.errors import CheckpointError, DataError, UsageError
from amlnn.formulas.digits import in_digits

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

    Columns: `time` where the file has times (they go on by its step: in months, business days, with
    the offsets of its zone), `step` from 1, then for every forecast column its point forecast under
    its own name, and `<name>_low_80`, `<name>_high_80`, ... for each interval that the checkpoint
    holds; all in the units of the file.

    Args:
        model: With the checkpoint's weights.
        plan: Its plan.
        parts: What it knows of its series.
        weights: The checkpoint, with its intervals.
        options: Which file, and where to.

    Raises:
        AmlnnError: the file cannot be read, is too short, has other columns or another step than
            the checkpoint, or rows are missing where the model looks back.
    """
    info = parts.metainfo
    series = _read(plan, parts, Path(options.inputs[0]), weights.path)
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


def _read(plan: Plan, parts: SeriesParts, path: Path, checkpoint: Path) -> Series:
    """The file, read as the config reads its own, on the time grid of the checkpoint."""
    part = next(part for part in reversed(PARTS) if plan.config.get(f'{part}_dataloader'))
    source = dict(parts.source_section(part))
    if 'path' not in source:
        name = 'ArraySeries' if path.suffix in ('.npy', '.npz') else 'CSVSeries'
        source = {'type': name, 'missing': 'mask'}
    source.pop('rows', None)  # the end of the file counts
    built = DATASETS.build({**source, 'path': str(path)})
    if not hasattr(built, 'read_rows'):
        return built.read()
    return lay_on_trained_grid(built.read_rows(), parts.metainfo, checkpoint,
                               source.get('gaps', 'error'), getattr(built, 'grid', None))


def _window(series: Series, info: dict, checkpoint: Path, file: str):
    """The last window [1, L, C + E] in scaled units, and what of it was observed."""
    names = [*info['columns'], *info['extra_columns']]
    known = [*series.columns, *series.aside]
    missing = [name for name in names if name not in known]
    if missing:
        raise CheckpointError(
            f'`{checkpoint}` was trained with columns {", ".join(names)}, and `{file}` has no '
            f'`{missing[0]}`', hint=f'`{file}` has {", ".join(known)}')
    rows, length = len(series.values), info['look_back']
    if rows < length:
        raise DataError(f'`{file}` has {rows} rows, and the model looks back on {length}',
                        hint=f'give at least {length} rows')
    values, observed = series.select(names)
    _check_targets(series, info, observed)
    values, observed = values[-length:], observed[-length:]
    scaled = StandardScaler.from_dict(info['scaler']).transform(values)
    inputs = torch.from_numpy(np.where(observed, scaled, 0).astype(np.float32))[None]
    masks = {} if observed.all() else {'observed': torch.from_numpy(observed)[None]}
    return inputs, masks


def _check_targets(series: Series, info: dict, observed: np.ndarray) -> None:
    """Refuse rows of the future, and a column of which nothing is known where the model looks."""
    length = info['look_back']
    check_end(series, info['columns'])
    for place, name in enumerate(info['columns']):
        known = np.flatnonzero(observed[:, place])
        if len(known) and known[-1] < len(observed) - length:
            row = int(known[-1])
            when = '' if series.times is None else f' (`{series.shown(row)}`)'
            raise DataError(
                f'{series.where(row)}: the last value of `{name}`{when} is more than {length} rows '
                'before the end, further than the model looks back',
                hint='give a file that ends where this column does')


def _text(series: Series, info: dict, point: np.ndarray, bounds: list) -> str:
    count, horizon = len(info['columns']), info['horizon']
    state = {name: values[:count] for name, values in info['scaler'].items()}
    scaler = StandardScaler.from_dict(state)
    header, columns = ['step'], [[str(step) for step in range(1, horizon + 1)]]
    times = _times(series, info, horizon)
    if times is not None:
        header.insert(0, 'time')
        columns.insert(0, times)
    arrays = [('', scaler.inverse(point[0]))]
    for level, low, high in bounds:
        arrays += [(f'_{side}_{100 * level:g}', scaler.inverse(values[0]))
                   for side, values in (('low', low), ('high', high))]
    for place, name in enumerate(info['columns']):
        for ending, values in arrays:
            header.append(f'{name}{ending}')
            columns.append(in_digits(values[:, place], _spread(series, name, scaler, place)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def _spread(series: Series, name: str, scaler: StandardScaler, place: int) -> float:
    """How far a column spreads: in the training rows, or where nothing was scaled, in the file."""
    if scaler.mean[place] or scaler.deviation[place] != 1:
        return float(scaler.deviation[place])
    values, observed = series.select([name])
    spread = float(values[observed].std()) if observed.any() else 0.0
    return spread or 1.0


def _times(series: Series, info: dict, horizon: int) -> list[str] | None:
    grid = series.grid or trained_grid(info)
    if series.times is None or grid is None:
        return None
    return series.clock.written(grid.ahead(series.times[-1], horizon, series.clock))
