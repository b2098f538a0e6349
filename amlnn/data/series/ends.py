"""The ends of series, where a forecast begins: the last window of each, and what is known beyond.

Axes: S series, T rows of all of them, L look-back, P horizon, C target columns, E extra columns, K
known ones.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from amlnn.data.series.chosen import check_end, future_rows, rows_since_last, without_future
from amlnn.data.series.continuation import trained_grid
from amlnn.data.series.known import KnownColumns
from amlnn.data.series.scaling import SeriesScaler, fit_scaler
from amlnn.data.series.series import Series
from amlnn.errors import DataError

__all__ = ['LastWindows', 'last_windows', 'series_scales']


@dataclass(frozen=True)
class LastWindows:
    """What a model reads to forecast what follows the end of each series."""

    series: Series
    """Their rows, without those of the future."""
    inputs: np.ndarray
    """[S, L, C + E + K] float32, scaled, 0 where missing."""
    observed: np.ndarray | None
    """[S, L, C + E + K] bool, None where nothing is missing."""
    known: np.ndarray | None
    """[S, P, K] float32, scaled; None without known columns."""
    codes: np.ndarray
    """[S] int64, the place of each series in the ids of the training, -1 of one it had not."""
    mean: np.ndarray
    """[S, C] float64, the scale of each series' targets."""
    deviation: np.ndarray
    """[S, C] float64."""
    times: np.ndarray | None
    """[S, P] datetime64[s] of the rows to come, None where the file has no times."""
    position: np.ndarray | None = None
    """[S] int64, where on the time grid the first row to come lies; None without a cycle."""
    notes: list[str] = field(default_factory=list)
    """Which series are left out, or new."""


def last_windows(series: Series, info: dict, future: Series | None = None,
                 short: str = 'error') -> LastWindows:
    """The last window of every series.

    Args:
        series: As it was read, on the time grid of the training.
        info: Metainfo of the checkpoint.
        future: Rows to come of the known columns, where the file itself does not hold them.
        short: What becomes of a series shorter than the look-back: 'error', or 'drop'.

    Raises:
        DataError: a series is too short, its last rows are missing, or what is to be known of the
            rows to come is not.
    """
    known = KnownColumns.from_dict(info['known']) if info.get('known') else KnownColumns()
    whole = series
    series = without_future(whole, info['columns'], info['extra_columns'], known.columns)
    kept, notes = _long_enough(series, info, short), []
    if len(kept) < len(series.bounds) - 1:
        left = [series.ids[place] for place in kept]
        out = np.flatnonzero(~np.isin(np.arange(len(series.ids)), kept))
        first = series.ids[out[0]]
        series = replace(series.members(kept), notes=[
            *series.notes, f'{len(out):,} series shorter than {info["look_back"]} rows are left '
            f'out, the first is `{first}`'])
        whole = whole.members(np.flatnonzero(np.isin(whole.ids, left)))
        notes.append(series.notes[-1])
    rows = series.bounds[1:, None] - info['look_back'] + np.arange(info['look_back'])
    names = [*info['columns'], *info['extra_columns']]
    values, observed = series.select(names)
    _check_targets(series, info, observed)
    notes += _ends_early(series, info['columns'])
    codes, mean, deviation = series_scales(series, info, names)
    if (codes < 0).any():
        first = series.ids[int((codes < 0).argmax())]
        notes.append(f'{int((codes < 0).sum()):,} series that training had not are scaled by their '
                     f'own rows, the first is `{first}`')
    inputs = (values[rows] - mean[:, None]) / deviation[:, None]
    seen = observed[rows]
    inputs = np.where(seen, inputs, 0)
    times = _times(series, info)
    ahead = None
    if known.names:
        past = known.values(series)[rows]
        inputs = np.concatenate([inputs, past], axis=2)
        seen = np.concatenate([seen, np.ones(past.shape, dtype=bool)], axis=2)
        ahead = _known_ahead(known, whole, series, info, times, future).astype(np.float32)
    count = len(info['columns'])
    return LastWindows(series, inputs.astype(np.float32), None if seen.all() else seen, ahead,
                       codes, mean[:, :count], deviation[:, :count], times,
                       _position(series, info, times), notes)


def _long_enough(series: Series, info: dict, short: str) -> np.ndarray:
    lengths, need = np.diff(series.bounds), info['look_back']
    few = np.flatnonzero(lengths < need)
    if not len(few):
        return np.arange(len(lengths))
    if not series.ids:
        raise DataError(f'`{series.path}` has {lengths[0]} rows, and the model looks back on '
                        f'{need}', hint=f'give at least {need} rows')
    if short == 'error' or len(few) == len(lengths):
        shown = f'`{series.ids[few[0]]}` has {lengths[few[0]]}'
        raise DataError(
            f'`{series.path}`: {len(few):,} of {len(lengths):,} series have fewer than the {need} '
            f'rows on which the model looks back ({shown})',
            hint="short='drop' of the data set leaves them out: --cfg-options "
            'train_dataloader.dataset.short=drop' if len(few) < len(lengths) else
            f'give at least {need} rows of a series')
    return np.flatnonzero(lengths >= need)


def series_scales(series: Series, info: dict, names: list[str]
                  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Code [S], mean [S, C + E] and deviation of each series; of an unseen one its own rows'."""
    every = np.ones(len(series.values), dtype=bool)
    scaler, _ = fit_scaler(series, every, every, names, True, info['scaler'])
    if not isinstance(scaler, SeriesScaler):
        return np.zeros(1, np.int64), scaler.mean[None], scaler.deviation[None]
    codes, known = scaler.places(series.ids), len(info['scaler']['ids'])
    return np.where(codes < known, codes, -1), scaler.mean[codes], scaler.deviation[codes]


def _check_targets(series: Series, info: dict, observed: np.ndarray) -> None:
    """Refuse rows of the future, and a column of which nothing is known where the model looks."""
    length = info['look_back']
    check_end(series, info['columns'])
    for column, name in enumerate(info['columns']):
        some = np.where(observed[:, column], np.arange(len(observed)), -1)
        last = np.maximum.reduceat(some, series.bounds[:-1])
        lost = np.flatnonzero(last < series.bounds[1:] - length)
        if len(lost):
            row = int(last[lost[0]])
            at = max(row, int(series.bounds[lost[0]]))
            when = '' if series.times is None else f' (`{series.shown(at)}`)'
            raise DataError(
                f'{series.where(at)}{series.name_of(at)}: the last value of `{name}`{when} is more '
                f'than {length} rows before the end, further than the model looks back',
                hint='give a file that ends where this column does')


def _ends_early(series: Series, columns: list[str]) -> list[str]:
    """A note where a column ends before its series does, and its forecast does not follow it."""
    since_SC = rows_since_last(series, columns)
    since_SC = np.where(since_SC == np.diff(series.bounds)[:, None], 0, since_SC)
    place, column = np.unravel_index(int(since_SC.argmax()), since_SC.shape)
    count = int(since_SC[place, column])
    if not count:
        return []
    of = f' of series `{series.ids[place]}`' if series.ids else ''
    return [f'the last value of `{columns[column]}`{of} is {count:,} row{"s" * (count > 1)} before '
            'the end, after which its forecast begins']


def _times(series: Series, info: dict) -> np.ndarray | None:
    grid = series.grid or trained_grid(info)
    if series.times is None or grid is None:
        return None
    last = series.times[series.bounds[1:] - 1]
    known = {}
    for time in np.unique(last):
        known[time] = grid.ahead(time, info['horizon'], series.clock)
    return np.stack([known[time] for time in last])


def _position(series: Series, info: dict, times: np.ndarray | None) -> np.ndarray | None:
    if not info.get('cycle'):
        return None
    if times is None:
        return np.diff(series.bounds)
    return (series.grid or trained_grid(info)).absolute(times[:, 0], series.clock)


def _known_ahead(known: KnownColumns, whole: Series, series: Series, info: dict,
                 times: np.ndarray | None, future: Series | None) -> np.ndarray:
    """[S, P, K] float64, scaled."""
    count, horizon = len(series.bounds) - 1, info['horizon']
    parts = []
    if known.columns:
        values = _future_values(known, whole, series, info, times, future)
        parts += list(known.scaler.transform(values).transpose(2, 0, 1))
    if known.calendar or known.holidays:
        parts += [each.reshape(count, horizon)
                  for each in known.of_times(times.reshape(-1), series.clock)]
    parts += [np.repeat(each[:, None], horizon, axis=1) for each in known.static_of(series).T]
    return np.stack(parts, axis=2)


def _future_values(known: KnownColumns, whole: Series, series: Series, info: dict,
                   times: np.ndarray | None, future: Series | None) -> np.ndarray:
    """[S, P, columns] float64 of the file, in its own units."""
    horizon, names = info['horizon'], known.columns
    if future is None:
        future = whole
        begins = whole.bounds[1:] - future_rows(whole, info['columns'])
        ends = whole.bounds[1:]
    else:
        begins, ends = _spans(series, future)
    values, observed = future.select(names)
    lists = ', '.join(f'`{name}`' for name in names)
    for place, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        of = f' of series `{series.ids[place]}`' if series.ids else ''
        if end - begin < horizon:
            raise DataError(
                f'`{future.path}`: {lists} must be known for {horizon} rows to come{of}, and '
                f'{max(end - begin, 0)} are there', hint='rows behind the end with these columns '
                'filled and the others empty, or a file of them: --future FILE')
        span = slice(begin, begin + horizon)
        if times is not None and (future.times[span] != times[place]).any():
            step = int((future.times[span] != times[place]).argmax())
            raise DataError(
                f'{future.where(begin + step)}: the row to come{of} is of '
                f'`{future.shown(begin + step)}`, and `'
                f'{series.clock.written(times[place][step:step + 1])[0]}` follows',
                hint='rows to come follow the last row step by step, none left out')
        if not observed[span].all():
            row, column = np.argwhere(~observed[span])[0]
            raise DataError(f'{future.where(begin + row)}: `{names[column]}` is missing in a row '
                            f'to come{of}', hint='fill it in: the model reads what is known ahead')
    rows = np.asarray(begins)[:, None] + np.arange(horizon)
    return values[rows]


def _spans(series: Series, future: Series) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of each series in a file of rows to come, after its last row."""
    begins, ends = [], []
    if bool(series.ids) != bool(future.ids):
        raise DataError(f'`{future.path}` is not divided into series as `{series.path}` is',
                        hint='both files have the same id_column')
    if series.times is not None and future.times is None:
        raise DataError(f'`{future.path}` has no times, and `{series.path}` has them',
                        hint='give it the column of times too: each row to come is known by its '
                        'time')
    places = {name: place for place, name in enumerate(future.ids)} if future.ids else {'': 0}
    for place, name in enumerate(series.ids or ['']):
        if name not in places:
            raise DataError(f'`{future.path}` has no row of series `{name}`',
                            hint='give each series its rows to come')
        begin, end = future.bounds[places[name]:places[name] + 2]
        if future.times is not None and series.times is not None:
            last = series.times[series.bounds[place + 1] - 1]
            begin += int((future.times[begin:end] <= last).sum())
        begins.append(int(begin))
        ends.append(int(end))
    return np.array(begins), np.array(ends)
