"""The ends of a file's series, and the CSV of what follows them; nothing here imports torch.

What makes the forecast in between, a network or a simple method, is the callers' business.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS

from amlnn.atomic import write_text
from amlnn.config.kind import PARTS
from amlnn.data.series.continuation import lay_on_trained_grid, trained_columns, trained_grid
from amlnn.data.series.ends import LastWindows, last_windows
from amlnn.data.series.series import Series
from amlnn.engine.options import PredictOptions
from amlnn.engine.series.end_intervals import Bounds, Forecasts, end_intervals
from amlnn.engine.series.sections import SeriesSections
from amlnn.errors import CheckpointError, UsageError
from amlnn.formulas.digits import in_digits
from amlnn.formulas.scales import unscaled
from amlnn.predicted_series import PredictedSeries
from amlnn.registry import of_registry

__all__ = ['EndForecast', 'Forecasts', 'check_file', 'forecast_ends']

# S series, L look-back, P horizon, C target columns, Q quantile levels


def check_file(options: PredictOptions) -> None:
    """Refuse what means nothing to a forecaster, and more than one file.

    Raises:
        UsageError: names the option.
    """
    if len(options.inputs) != 1:
        raise UsageError(f'a forecaster takes one file, got {len(options.inputs)}',
                         hint='python tools/predict.py CONFIG CHECKPOINT series.csv --out out.csv')
    for name, given in (('--topk', options.topk is not None), ('--json', options.json),
                        ('--reject-below', options.reject_below is not None)):
        if given:
            raise UsageError(f'{name} is for classifiers, and this is a forecast',
                             hint='leave it out; the forecast is a CSV')


@dataclass(frozen=True)
class EndForecast:
    """Forecasts of what follows the end of each series of a file, in its units."""

    series: Series
    """The rows they follow."""
    columns: list[str]
    """The C forecast columns."""
    times: np.ndarray | None
    """[S, P] datetime64[s], None where the file has no times."""
    point: np.ndarray
    """[S, P, C] float64."""
    bounds: Bounds
    """Level, lower and upper bounds [S, P, C]."""
    notes: list[str] = field(default_factory=list)
    """Which series are left out, or new, and what the intervals are made of."""

    def shown(self, places: Sequence[int]) -> list[PredictedSeries]:
        """Some of the series, as a picture shows them: with their past, by the clock on the wall.
        """
        series, found = self.series, []
        values, observed = series.select(self.columns)
        for place in places:
            rows = slice(*series.bounds[place:place + 2])
            times = {}
            if self.times is not None:
                times = dict(times=series.clock.wall(series.times[rows]),
                             ahead=series.clock.wall(self.times[place]))
            found.append(PredictedSeries(
                series.ids[place] if series.ids else '',
                np.where(observed[rows], values[rows], np.nan), self.point[place],
                [(level, low[place], high[place]) for level, low, high in self.bounds], **times))
        return found


def forecast_ends(sections: SeriesSections, options: PredictOptions, intervals: list[dict],
                  forecast: Callable[[LastWindows], Forecasts]) -> Iterator[str]:
    """Forecast the steps after the end of a file; the lines of a CSV, or where it was written.

    Columns: of many series first that of their names; `time` where the file has times (they go on
    by its step: in months, business days, with the offsets of its zone), `step` from 1, then for
    every forecast column its point forecast under its own name, and `<name>_low_80`,
    `<name>_high_80`, ... for each interval that the checkpoint holds; all in the units of the file.

    Args:
        sections: With the metainfo of the checkpoint.
        options: Which file, and where to.
        intervals: Of the checkpoint.
        forecast: Makes the forecast of windows, those at the ends and earlier ones.

    Raises:
        AmlnnError: the file cannot be read, is too short, has other columns or another step than
            the checkpoint, rows are missing where the model looks back, or known columns ahead.
    """
    info = sections.trained
    series, id_name = _read(sections, Path(options.inputs[0]))
    _check_columns(series, info, sections.checkpoint)
    future = _read_future(sections, options.future) if options.future else None
    section = next(sections.section(part) for part in PARTS
                   if sections.config.get(f'{part}_dataloader'))
    windows = last_windows(series, info, future, section.get('short', 'error'))
    sections.check_models(windows.series.ids)
    point, quantiles = forecast(windows)
    intervals_scaled, said = end_intervals(windows, info, intervals, (point, quantiles), forecast)
    mean, deviation = windows.mean[:, None], windows.deviation[:, None]
    found = EndForecast(
        windows.series, list(info['columns']), windows.times, unscaled(point, mean, deviation),
        [(level, unscaled(low, mean, deviation), unscaled(high, mean, deviation))
         for level, low, high in intervals_scaled], notes=[*windows.notes, *said])
    text = _text(found, windows, id_name)
    told = options.on_forecast or (lambda found: None)
    if options.out:
        write_text(options.out, text)
        yield f'written: {options.out}'
        told(found)  # a picture, perhaps, which takes longer
    else:
        told(found)
        yield from text.splitlines()


def build_source(section: dict):
    """A source of a series. MMEngine's builder imports torch, for a class that is there already."""
    arguments = dict(section)
    kind = of_registry(DATASETS, arguments.pop('type'))
    return kind(**arguments) if kind else DATASETS.build(section)


def _source(sections: SeriesSections, path: Path) -> dict:
    """The source of the config, of another file."""
    part = next(part for part in reversed(PARTS) if sections.config.get(f'{part}_dataloader'))
    source = dict(sections.source_section(part))
    if 'path' not in source:
        name = 'ArraySeries' if path.suffix in ('.npy', '.npz') else 'CSVSeries'
        source = {'type': name, 'missing': 'mask'}
    source.pop('rows', None)  # the end of the file counts
    return {**source, **trained_columns(source, sections.trained), 'path': str(path)}


def _read(sections: SeriesSections, path: Path) -> tuple[Series, str]:
    """The file on the time grid of the checkpoint, read as the config reads its own; and how the
    column with the names of its series is called.
    """
    source = _source(sections, path)
    built = build_source(source)
    if not hasattr(built, 'read_rows'):
        return built.read(), 'series'
    grid = getattr(built, 'grid', None)
    resampled = [trained_grid(sections.trained)] if getattr(built, 'resample', None) else []
    rows = built.read_rows(*resampled)
    laid = lay_on_trained_grid(rows, sections.trained, sections.checkpoint,
                               source.get('gaps', 'error'), grid)
    return laid, ' / '.join(rows.id_columns) or 'series'


def _read_future(sections: SeriesSections, path: Path) -> Series:
    """Rows to come of the known columns."""
    known = (sections.trained.get('known') or {}).get('columns')
    if not known:
        raise UsageError(f'--future {path}: the model knows no column ahead',
                         hint='leave it out; known=[...] of the data set, in training, names such '
                         'columns')
    built = build_source({**_source(sections, path), 'columns': known, 'static': []})
    return built.read_rows(*([trained_grid(sections.trained)] if built.resample else []))


def _check_columns(series: Series, info: dict, checkpoint: Path) -> None:
    known = (info.get('known') or {}).get('columns', [])
    names = [*info['columns'], *info['extra_columns'], *known]
    there = [*series.columns, *series.aside]
    missing = [name for name in names if name not in there]
    if missing:
        raise CheckpointError(
            f'`{checkpoint}` was trained with columns {", ".join(names)}, and `{series.path}` has '
            f'no `{missing[0]}`', hint=f'`{series.path}` has {", ".join(there)}')


def _text(found: EndForecast, windows: LastWindows, id_name: str) -> str:
    """The CSV."""
    ids, horizon = found.series.ids, found.point.shape[1]
    header = [*([id_name] if ids else []), *(['time'] if found.times is not None else []), 'step']
    arrays = [('', found.point)]
    for level, low, high in found.bounds:
        arrays += [(f'_low_{100 * level:g}', low), (f'_high_{100 * level:g}', high)]
    header += [f'{name}{ending}' for name in found.columns for ending, _ in arrays]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    for place in range(len(found.point)):
        columns = [[ids[place]] * horizon] if ids else []
        if found.times is not None:
            columns.append(found.series.clock.written(found.times[place]))
        columns.append([str(step) for step in range(1, horizon + 1)])
        for column in range(len(found.columns)):
            spread = _spread(windows, place, column, found.columns[column])
            columns += [in_digits(values[place, :, column], spread) for _, values in arrays]
        writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def _spread(windows: LastWindows, place: int, column: int, name: str) -> float:
    """How far a column spreads: in the training rows, or where nothing was scaled, in the file."""
    mean, deviation = windows.mean[place, column], windows.deviation[place, column]
    if mean or deviation != 1:
        return float(deviation)
    series = windows.series
    rows = slice(*series.bounds[place:place + 2])
    values, observed = (each[rows] for each in series.select([name]))
    spread = float(values[observed].std()) if observed.any() else 0.0
    return spread or 1.0
