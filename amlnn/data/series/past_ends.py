"""Windows of a file that end before it does, by which the intervals around its forecast are made.

None has a target in the rows that the model was trained on: there it errs less than elsewhere.

Axes: S series, T rows of all of them, N windows, B windows of a block, L look-back, P horizon, C
target columns, E extra columns, K known ones, F = C + E + K.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from amlnn.data.series.ends import LastWindows, series_scales
from amlnn.data.series.known import KnownColumns
from amlnn.data.series.series import Series

__all__ = ['PastWindows', 'past_windows', 'trained_until']


def trained_until(series: Series, training_ends: np.ndarray) -> dict:
    """Where the training rows of each series end, in plain numbers: for a checkpoint.

    Args:
        series: One or many.
        training_ends: [S] int64, rows of each series up to the end of its training part.

    Returns:
        'times', seconds of each series' last training row, or without times 'rows', their number.
    """
    if series.times is None:
        return {'rows': training_ends.tolist()}
    last = series.bounds[:-1] + np.maximum(training_ends - 1, 0)
    return {'times': series.times[last].astype('datetime64[s]').astype(np.int64).tolist()}


@dataclass(frozen=True)
class PastWindows:
    """Windows before the ends of series, and at each end the one that is forecast from."""

    last: LastWindows
    """Those at the ends."""
    info: dict
    """Metainfo of the checkpoint."""
    places: np.ndarray
    """[N] int64, the series of each window; those of a series stand in the order of time."""
    origins: np.ndarray
    """[N] int64, the row of each window's first target; at an end, that behind it."""
    stride: int
    """Rows from one window of a series to the next."""
    _known: KnownColumns = field(default_factory=KnownColumns)

    def block(self, index: np.ndarray) -> LastWindows:
        """What a model reads of some windows, as of those at the ends."""
        last = self.last
        places, rows = self.places[index], self._rows(index, -self.info['look_back'], 0)
        inputs, observed = (each[rows] for each in self._scaled)
        known = None
        if last.known is not None:
            past, ahead = self._known_rows, self._rows(index, 0, self.info['horizon'])
            beyond = ahead - last.series.bounds[places + 1][:, None]
            known = np.where((beyond < 0)[:, :, None], past[np.minimum(ahead, len(past) - 1)],
                             last.known[places[:, None], np.maximum(beyond, 0)])
            inputs = np.concatenate([inputs, past[rows]], axis=2)
            observed = np.concatenate([observed, np.ones(past[rows].shape, dtype=bool)], axis=2)
        position = None if last.position is None else \
            last.position[places] + self.origins[index] - last.series.bounds[places + 1]
        return replace(last, inputs=inputs, position=position, known=known,
                       observed=None if last.observed is None else observed,
                       codes=last.codes[places], mean=last.mean[places],
                       deviation=last.deviation[places])

    def truth(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[B, P, C] float32, and bool: what is known of it before the end of its series.

        A model that never met a missing value is not judged by windows that look back on one.
        """
        values, observed = self._scaled
        rows, count = self._rows(index, 0, self.info['horizon']), len(self.info['columns'])
        there = rows < self.last.series.bounds[self.places[index] + 1][:, None]
        rows = np.minimum(rows, len(values) - 1)
        known = observed[rows][:, :, :count] & there[:, :, None]
        if self.last.observed is None:
            behind = self._rows(index, -self.info['look_back'], 0)
            known &= observed[behind].all(axis=(1, 2))[:, None, None]
        return values[rows][:, :, :count], known

    def _rows(self, index: np.ndarray, first: int, stop: int) -> np.ndarray:
        return self.origins[index][:, None] + np.arange(first, stop)

    @cached_property
    def _scaled(self) -> tuple[np.ndarray, np.ndarray]:
        """[T, C + E] float32, 0 where missing, and bool."""
        series, names = self.last.series, [*self.info['columns'], *self.info['extra_columns']]
        values, observed = series.select(names)
        _, mean, deviation = series_scales(series, self.info, names)
        of = series.series_of_rows
        scaled = (values - mean[of]) / deviation[of]
        return np.where(observed, scaled, 0).astype(np.float32), observed

    @cached_property
    def _known_rows(self) -> np.ndarray:
        return self._known.values(self.last.series).astype(np.float32)


def past_windows(last: LastWindows, info: dict, most: int, least: int, together: int
                 ) -> PastWindows:
    """The newest windows of each series with targets behind its training rows.

    Args:
        last: The windows at the ends.
        info: Metainfo of the checkpoint, with `trained_until`.
        most: Windows of a series whose truth is known at every step ahead, at most.
        least: As many of them as make a series have any.
        together: Windows of all series, at most; more are thinned out, evenly.

    Returns:
        With the window at the end alone of each series that has too few.
    """
    series, horizon = last.series, info['horizon']
    lengths = np.diff(series.bounds)
    free = lengths - np.maximum(_trained_rows(series, last.codes, info['trained_until']),
                                info['look_back'])
    wanted = int(np.clip(free, 0, most + horizon - 1).sum())
    stride = max(1, -(-wanted // together))
    late = (horizon - 1) // stride + 1  # windows of which something is not known yet
    counts = np.minimum(np.maximum(free, 0) // stride, most + late - 1)
    counts = np.where(counts - late + 1 >= least, counts, 0)
    places = np.repeat(np.arange(len(lengths)), counts + 1)
    ahead = np.arange(len(places)) - np.repeat(np.cumsum(counts + 1), counts + 1) + 1
    known = KnownColumns.from_dict(info['known']) if info.get('known') else KnownColumns()
    return PastWindows(last, info, places, series.bounds[places + 1] + stride * ahead, stride,
                       known)


def _trained_rows(series: Series, codes: np.ndarray, until: dict) -> np.ndarray:
    """[S] int64, the rows of each series up to the end of its training; 0 of an unseen one."""
    if series.times is None and 'rows' not in until:
        return np.diff(series.bounds)  # where the training ended cannot be told
    if 'rows' in until:  # a file is taken to begin where that of the training did
        return np.where(codes >= 0, np.asarray(until['rows'])[np.maximum(codes, 0)], 0)
    seconds = series.times.astype('datetime64[s]').astype(np.int64)
    ends = np.asarray(until['times'])
    found = np.zeros(len(codes), dtype=np.int64)
    for place, code in enumerate(codes.tolist()):
        if code >= 0:
            rows = slice(*series.bounds[place:place + 2])
            found[place] = np.searchsorted(seconds[rows], ends[code], side='right')
    return found
