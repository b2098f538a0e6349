"""What simple methods reach on the same windows: rows that belong in every table of forecasts."""

import contextlib
import hashlib
import json

import numpy as np
from mmengine.registry import DATASETS

import amlnn
from amlnn.data.series.windows import SeriesWindows
from amlnn.engine.series.parts import SeriesParts
from amlnn.errors import DataError
from amlnn.formulas.forecast_errors import error_sums, mean_errors
from amlnn.formulas.training_rows import TrainingRows
from amlnn.models.series.baselines import BASELINES, Baseline, Ridge
from amlnn.records import TRUTH
from amlnn.user_cache import read_cached, write_cached

__all__ = ['KEPT', 'baseline_rows', 'cache_name', 'error_row', 'target_deviation', 'window_sums']

KEPT = 'baselines'
"""The folder of the user's cache."""

_FORMAT = 2  # of a row: rows kept in another one are computed again
_BLOCK = 256  # windows at a time

# N windows, P steps ahead, C target columns


def baseline_rows(parts: SeriesParts, split: str) -> dict[str, dict[str, float]]:
    """Errors of the baselines on all windows of a part.

    They depend on the data alone, so they are computed once and kept in the cache folder.

    Args:
        parts: The windows, with the scaler that counts.
        split: 'val' or 'test'.

    Returns:
        By name, what `error_row` gives. A method that needs what the series does not have (a
        season, rows enough) has no row.
    """
    dataset = parts.dataset(split)
    name = cache_name(parts, split)
    try:
        return json.loads(read_cached(KEPT, name) or '')
    except ValueError:
        pass
    rows = {}
    for method, kind in BASELINES.items():
        with contextlib.suppress(DataError):
            rows[method] = _row(kind(), dataset, parts, split)
    truth = dataset.target_truth(np.arange(len(dataset)))
    if truth is not None:
        rows[TRUTH] = _errors(dataset, lambda batch: truth[batch['index'].numpy()])
    write_cached(KEPT, name, json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False))
    return rows


def cache_name(parts: SeriesParts, split: str, *more: object) -> str:
    """Of a file in the cache, from all that errors on a part's windows depend on, and `more`."""
    dataset = parts.dataset(split)
    info = {name: value for name, value in parts.metainfo.items() if name != 'step_seconds'}
    key = [amlnn.__version__, _FORMAT, split, dataset.stride, parts.data_hash(), info, *more]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    return f'{digest}.json'


def window_sums(error_NPC: np.ndarray, observed_NPC: np.ndarray | None = None) -> np.ndarray:
    """[3, C] float64: squared and absolute errors of each column summed up, and their number."""
    windows, steps, columns = error_NPC.shape
    count_C = np.full(columns, windows * steps) if observed_NPC is None \
        else observed_NPC.sum(axis=(0, 1))
    return np.stack([*error_sums(error_NPC.astype(np.float64), observed_NPC), count_C])


def error_row(sums_3C: np.ndarray, deviation_C: np.ndarray, windows: int) -> dict[str, float]:
    """A row of a table.

    Args:
        sums_3C: What `window_sums` gave, summed up.
        deviation_C: Of each column: an error in original units is that in scaled ones times this.
        windows: How many were summed up.

    Returns:
        'forecast/mse' and 'forecast/mae' in scaled units, both with '_original' in those of the
        data, and 'windows'.
    """
    return {**{f'forecast/{name}': value
               for name, value in mean_errors(*sums_3C, deviation_C).items()}, 'windows': windows}


def _row(baseline: Baseline, dataset: SeriesWindows, parts: SeriesParts,
         split: str) -> dict[str, float]:
    windows = _with_look_back(baseline.look_back, dataset, parts, split)
    more = {'validation': _validation(dataset)} if isinstance(baseline, Ridge) else {}
    baseline.fit(TrainingRows.of_one(dataset.training_values), windows.look_back, dataset.horizon,
                 dataset.season, **more)

    def forecast(batch: dict) -> np.ndarray:
        observed = batch.get('observed')
        return baseline.predict(batch['inputs'].numpy(),
                                None if observed is None else observed.numpy())

    return _errors(windows, forecast)


def _with_look_back(rows: int | None, dataset: SeriesWindows, parts: SeriesParts,
                    split: str) -> SeriesWindows:
    """The same windows with another look-back, where every one of them has that many rows."""
    if rows in (None, dataset.look_back):
        return dataset
    section = parts.section(split) | {'look_back': rows, 'scaler': dataset.scaler.to_dict()}
    try:
        other = DATASETS.build(section)
    except DataError:
        return dataset
    return other if len(other) == len(dataset) else dataset


def _validation(dataset: SeriesWindows) -> TrainingRows | None:
    """The scaled targets of the validation part."""
    first, end, _ = dataset.borders
    return TrainingRows.of_one(dataset.scaled_targets(first, end)) if end > first else None


def _errors(dataset: SeriesWindows, forecast) -> dict[str, float]:
    sums_3C = np.zeros((3, len(dataset.columns)))
    for first in range(0, len(dataset), _BLOCK):
        batch = dataset.__getitems__(list(range(first, min(first + _BLOCK, len(dataset)))))
        observed = batch.get('target_observed')
        sums_3C += window_sums(forecast(batch) - batch['targets'].numpy(),
                               None if observed is None else observed.numpy())
    return error_row(sums_3C, target_deviation(dataset), len(dataset))


def target_deviation(dataset: SeriesWindows) -> np.ndarray:
    """[C] float64: the scale of the target columns."""
    return np.asarray(dataset.scaler.deviation[:len(dataset.columns)], dtype=np.float64)
