"""What simple methods reach on the same windows: rows that belong in every table of forecasts."""

import contextlib
import hashlib
import json

import numpy as np
from mmengine.registry import DATASETS

import amlnn
from amlnn.atomic import write_json
from amlnn.config.modules import cache_folder
from amlnn.data.windows import SeriesWindows
from amlnn.engine.series import SeriesTask
from amlnn.errors import DataError
from amlnn.models.baselines import BASELINES, Baseline, Ridge

__all__ = ['TRUTH', 'baseline_rows']

TRUTH = 'noise-free truth'
"""The row of a generated series' own signal: what is left is noise that nobody can forecast."""

_BLOCK = 256  # windows at a time


def baseline_rows(task: SeriesTask, split: str) -> dict[str, dict[str, float]]:
    """Errors of the baselines on all windows of a part, in scaled units.

    They depend on the data alone, so they are computed once and kept in the cache folder.

    Args:
        task: The windows, with the scaler that counts.
        split: 'val' or 'test'.

    Returns:
        By name: 'forecast/mse', 'forecast/mae', 'windows'. A method that needs what the series
        does not have (a season, rows enough) has no row.
    """
    dataset = task.dataset(split)
    info = {name: value for name, value in task.metainfo.items() if name != 'step_seconds'}
    key = json.dumps([amlnn.__version__, split, dataset.stride, task.data_hash(), info])
    file = cache_folder() / 'baselines' / f'{hashlib.sha256(key.encode()).hexdigest()}.json'
    try:
        return json.loads(file.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        pass
    rows = {}
    for name, kind in BASELINES.items():
        with contextlib.suppress(DataError):
            rows[name] = _row(kind(), dataset, task, split)
    truth = dataset.target_truth(np.arange(len(dataset)))
    if truth is not None:
        rows[TRUTH] = _errors(dataset, lambda batch: truth[batch['index'].numpy()])
    with contextlib.suppress(OSError):  # a home that cannot be written to costs time, nothing else
        write_json(file, rows)
    return rows


def _row(baseline: Baseline, dataset: SeriesWindows, task: SeriesTask,
         split: str) -> dict[str, float]:
    windows = _with_look_back(baseline.look_back, dataset, task, split)
    more = {'validation': _validation(dataset)} if isinstance(baseline, Ridge) else {}
    baseline.fit(dataset.training_values, windows.look_back, dataset.horizon, dataset.season,
                 **more)

    def forecast(batch: dict) -> np.ndarray:
        observed = batch.get('observed')
        return baseline.predict(batch['inputs'].numpy(),
                                None if observed is None else observed.numpy())

    return _errors(windows, forecast)


def _with_look_back(rows: int | None, dataset: SeriesWindows, task: SeriesTask,
                    split: str) -> SeriesWindows:
    """The same windows with another look-back, where every one of them has that many rows."""
    if rows in (None, dataset.look_back):
        return dataset
    section = task.section(split) | {'look_back': rows, 'scaler': dataset.scaler.to_dict()}
    try:
        other = DATASETS.build(section)
    except DataError:
        return dataset
    return other if len(other) == len(dataset) else dataset


def _validation(dataset: SeriesWindows) -> np.ndarray | None:
    """[V, C] float64: the scaled targets of the validation part, NaN where missing."""
    first, end, _ = dataset.borders
    return dataset.scaled_targets(first, end) if end > first else None


def _errors(dataset: SeriesWindows, forecast) -> dict[str, float]:
    squared = absolute = count = 0.0
    for first in range(0, len(dataset), _BLOCK):
        batch = dataset.__getitems__(list(range(first, min(first + _BLOCK, len(dataset)))))
        error = forecast(batch) - batch['targets'].numpy()
        if 'target_observed' in batch:
            error = error[batch['target_observed'].numpy()]
        squared += float(np.square(error).sum())
        absolute += float(np.abs(error).sum())
        count += error.size
    count = max(count, 1.0)
    return {'forecast/mse': squared / count, 'forecast/mae': absolute / count,
            'windows': len(dataset)}
