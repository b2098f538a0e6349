"""What simple methods reach on the same windows: rows that belong in every table of forecasts."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator

import numpy as np
from mmengine.registry import DATASETS

import amlnn
from amlnn.data.series.windows import SeriesWindows
from amlnn.engine.series.calibration import bounded_windows, interval_sums, windows_before
from amlnn.engine.series.parts import SeriesParts
from amlnn.errors import DataError
from amlnn.foreign_texts import parse_json
from amlnn.formulas.calibrated_windows import Forecasted, ForecastWindows
from amlnn.formulas.forecast_errors import error_sums, mean_errors
from amlnn.formulas.panel_errors import PanelSums
from amlnn.formulas.training_rows import TrainingRows
from amlnn.models.series.baselines import BASELINES, Baseline
from amlnn.records import TRUTH
from amlnn.user_cache import read_cached, write_cached

__all__ = ['KEPT', 'MOST_SERIES', 'baseline_errors', 'cache_name', 'error_row', 'errors_of',
           'predicted', 'target_deviation', 'training_rows', 'validation_rows', 'window_sums']

KEPT = 'baselines'
"""The folder of the user's cache."""

MOST_SERIES = 5000
"""Series of a panel whose errors are kept one by one; of more, only those of all are."""

_FORMAT = 6  # of a row: rows kept in another one are computed again
_BLOCK = 256  # windows at a time

# S series, N windows, P steps ahead, C target columns


def baseline_errors(parts: SeriesParts, split: str
                    ) -> tuple[dict[str, dict[str, float]], dict[str, list[dict[str, float]]]]:
    """Errors of the baselines on all windows of a part.

    They depend on the data alone, so they are computed once and kept in the cache folder.

    Args:
        parts: The windows, with the scaler that counts.
        split: 'val' or 'test'.

    Returns:
        By name, what `errors_of` gives: errors on all windows, and of a panel those of each series.
        A method that needs what the series does not have (a season, rows enough) has no row.
    """
    dataset = parts.dataset(split)
    name = cache_name(parts, split)
    try:
        rows, by_series = parse_json(read_cached(KEPT, name) or '')
        return rows, by_series
    except ValueError:
        pass
    rows, by_series, before = {}, {}, windows_before(parts, split)
    for method, kind in BASELINES.items():
        with contextlib.suppress(DataError):
            rows[method], by_series[method] = _row(kind(), dataset, before, parts, split)
    truth = dataset.target_truth(np.arange(len(dataset)))
    if truth is not None:
        rows[TRUTH], by_series[TRUTH] = _scored(
            dataset, before, split,
            lambda batch, dataset: dataset.target_truth(batch['index'].numpy()))
    by_series = {method: each for method, each in by_series.items() if each}
    write_cached(KEPT, name, json.dumps([rows, by_series], ensure_ascii=False, allow_nan=False))
    return rows, by_series


def cache_name(parts: SeriesParts, split: str, *more: object) -> str:
    """Of a file in the cache, from all that errors on a part's windows depend on, and `more`."""
    dataset = parts.dataset(split)
    info = {name: value for name, value in parts.metainfo.items()
            if name not in ('step_seconds', 'trained_until')}
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


def _row(baseline: Baseline, dataset: SeriesWindows, before: SeriesWindows | None,
         parts: SeriesParts, split: str) -> tuple[dict[str, float], list[dict[str, float]]]:
    windows = _with_look_back(baseline.look_back, dataset, parts, split)
    if before is not None:
        before = _with_look_back(windows.look_back, before, parts, 'val')
    if before is not None and before.look_back != windows.look_back:
        before = None
    baseline.fit(training_rows(dataset), windows.look_back, dataset.horizon, dataset.season,
                 validation_rows(dataset))
    return _scored(windows, before, split,
                   lambda batch, dataset: predicted(baseline, batch, dataset))


def training_rows(dataset: SeriesWindows) -> TrainingRows:
    """The rows of the training part, as baselines learn from them."""
    return TrainingRows(*dataset.part_rows('train'))


def validation_rows(dataset: SeriesWindows) -> TrainingRows | None:
    """Those of the validation part; None where it has none."""
    rows = TrainingRows(*dataset.part_rows('val'))
    return rows if len(rows.values) else None


def predicted(baseline: Baseline, batch: dict, dataset: SeriesWindows) -> np.ndarray:
    """[B, P, C]: what a baseline forecasts for a batch of windows."""
    given = {name: batch[name].numpy() for name in ('observed', 'known') if name in batch}
    series = dataset.window_series(batch['index'].numpy()) if dataset.ids else None
    return baseline.predict(batch['inputs'].numpy(), series=series, **given)


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


def errors_of(dataset: SeriesWindows, forecast: Callable[[dict], np.ndarray]
              ) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Errors of a forecast on all windows, and of a panel those of each series it knows.

    Args:
        dataset: The windows.
        forecast: [B, P, C] of a batch.

    Returns:
        What `error_row`, of a panel `PanelSums.row` gives; and what `PanelSums.by_series`
        gives, nothing of one series or of more than MOST_SERIES.
    """
    windows = _windows(dataset, lambda batch, _: forecast(batch))
    blocks = (np.arange(first, min(first + _BLOCK, len(dataset)))
              for first in range(0, len(dataset), _BLOCK))
    return _errors(dataset, ((index, windows.take(index)) for index in blocks))


_Method = Callable[[dict, SeriesWindows], np.ndarray]
"""[B, P, C]: a forecast of a batch of windows."""


def _scored(dataset: SeriesWindows, before: SeriesWindows | None, split: str, method: _Method
            ) -> tuple[dict[str, float], list[dict[str, float]]]:
    """`errors_of`, and how the method's intervals hold."""
    sums = interval_sums()

    def blocks() -> Iterator[tuple[np.ndarray, Forecasted]]:
        for each in bounded_windows(_windows(dataset, method), before and _windows(before, method),
                                    split):
            sums.add(each)
            yield each.places, each.windows

    row, by_series = _errors(dataset, blocks())
    return row | sums.row(), by_series


def _windows(dataset: SeriesWindows, method: _Method) -> ForecastWindows:
    def take(index: np.ndarray) -> Forecasted:
        batch = dataset.__getitems__(index.tolist())
        observed = batch.get('target_observed')
        return Forecasted(method(batch, dataset), batch['targets'].numpy(),
                          None if observed is None else observed.numpy())

    return ForecastWindows(take, dataset.window_codes(np.arange(len(dataset))), dataset.stride)


def _errors(dataset: SeriesWindows, blocks: Iterator[tuple[np.ndarray, Forecasted]]
            ) -> tuple[dict[str, float], list[dict[str, float]]]:
    sums_3C = np.zeros((3, len(dataset.columns)))
    panel = PanelSums(len(dataset.scaler.ids)) if dataset.ids else None
    for index, (point, target, observed, _) in blocks:
        if panel:
            panel.add(point, target, observed, dataset.window_codes(index),
                      *dataset.window_scale(index))
        else:
            sums_3C += window_sums(point - target, observed)
    if panel:
        few = len(dataset.scaler.ids) <= MOST_SERIES
        return panel.row(), panel.by_series() if few else []
    return error_row(sums_3C, target_deviation(dataset), len(dataset)), []


def target_deviation(dataset: SeriesWindows) -> np.ndarray:
    """[C] float64: the scale of the target columns."""
    return np.asarray(dataset.scaler.deviation[:len(dataset.columns)], dtype=np.float64)
