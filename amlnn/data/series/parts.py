"""Training, validation and test part of series, and the windows whose targets lie in each.

S series, N windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from amlnn.config.kind import PARTS
from amlnn.data.series.series import Series
from amlnn.errors import DataError

__all__ = ['PART_NAMES', 'Division', 'divide', 'split_borders']

PART_NAMES = {'train': 'training', 'val': 'validation', 'test': 'test'}


def split_borders(rows: int, ratios: Sequence[float]) -> tuple[int, int, int]:
    """Where the training, validation and test part of a series end.

    Training and test part are rounded down, what is left over belongs to validation, or to the
    training part if there is no validation. Ratios are read as the decimals they print as.

    Args:
        rows: Length of the series.
        ratios: Shares of the three parts, which sum to 1.

    Raises:
        DataError: there are not three shares, one is negative, or their sum is not 1.

    >>> split_borders(17420, (0.7, 0.1, 0.2))
    (12194, 13936, 17420)
    """
    if len(ratios) != 3 or min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-6:
        raise DataError(f'ratios={tuple(ratios)} are not three shares that sum to 1',
                        hint='ratios=(0.7, 0.1, 0.2): training, validation, test')
    train, val, test = (Fraction(str(ratio)) for ratio in ratios)
    val_end = rows - int(rows * test)
    return (int(rows * train) if val else val_end), val_end, rows


@dataclass(frozen=True)
class Division:
    """Where the parts of each series end.

    Raises:
        DataError: the borders are none, or do not fit the series.
    """

    bounds: np.ndarray
    """[S + 1] int64: series s is rows bounds[s] to bounds[s + 1]."""
    ends: np.ndarray
    """[S, 3] int64, rows of each series up to the end of its training, validation, test part."""

    @classmethod
    def of_one(cls, rows: int, borders: Sequence[int] | None,
               ratios: Sequence[float]) -> 'Division':
        """Of one series."""
        if borders is None:
            borders = split_borders(rows, ratios)
        borders = tuple(borders)
        if len(borders) != 3 or list(borders) != sorted(borders) or borders[0] < 1:
            raise DataError(f'borders={borders} are not the rows at which training, validation and '
                            'test part end', hint='borders=(8640, 11520, 14400), say')
        if borders[2] > rows:
            raise DataError(f'borders={borders}: the series has {rows} rows',
                            hint='shift the borders, or give ratios')
        return cls(np.array([0, rows]), np.array([borders], dtype=np.int64))

    @classmethod
    def of_panel(cls, bounds: np.ndarray, ratios: Sequence[float], horizon: int) -> 'Division':
        """Of each series of a panel by its own length; parts hold a horizon at least.

        A series too short for a share of `horizon` rows gives validation and test that many, if its
        training part is left with some.
        """
        lengths = np.diff(bounds)
        unique, places = np.unique(lengths, return_inverse=True)
        ends = []
        for rows in unique.tolist():
            train, val, stop = split_borders(rows, ratios)
            test = max(stop - val, horizon) if ratios[2] else 0
            held = max(val - train, horizon) if ratios[1] else 0
            train = max(stop - test - held, 0)
            ends.append((train, max(stop - test, train), stop))
        return cls(np.asarray(bounds), np.array(ends, dtype=np.int64)[places])

    def rolled(self, origin: Sequence[int], horizon: int) -> 'Division':
        """The parts as they are at a rolling origin: what is tested lies before this one's test.

        The second half of the rows before the test part is cut into equal stretches, one an origin.
        Each is the test part of its origin, all rows before it are training and validation, divided
        as here, so that the last origin has the most of them.

        Args:
            origin: Which one, from 0, and of how many.
            horizon: Rows of targets: as many has a part of a panel's series at least.

        Raises:
            DataError: that is no origin.

        Source: L. J. Tashman, Out-of-sample tests of forecasting accuracy, International Journal
        of Forecasting 16 (2000) 437-450.

        >>> Division.of_one(1000, None, (0.6, 0.2, 0.2)).rolled((0, 4), 1).ends.tolist()
        [[300, 400, 500]]
        >>> Division.of_one(1000, None, (0.6, 0.2, 0.2)).rolled((3, 4), 1).ends.tolist()
        [[525, 700, 800]]
        """
        pair = tuple(origin) if isinstance(origin, list | tuple) else (origin,)
        if len(pair) != 2 or not all(type(each) is int for each in pair) \
                or not 0 <= pair[0] < pair[1]:
            raise DataError(f'origin={origin!r} is not which origin, from 0, and of how many',
                            hint='origin=(0, 4), the first of four')
        place, count = pair
        train_S, before_S = self.ends[:, 0], self.ends[:, 1]
        stretch_S = before_S // (2 * count)
        if len(self.ends) > 1:
            stretch_S = np.maximum(stretch_S, np.minimum(horizon, before_S))
        stop_S = before_S - (count - 1 - place) * stretch_S
        val_S = stop_S - stretch_S
        held_S = (before_S - train_S) * val_S // np.maximum(before_S, 1)
        if len(self.ends) > 1:
            held_S = np.maximum(held_S, np.minimum(horizon, before_S - train_S))
        ends_S3 = np.stack([val_S - held_S, val_S, stop_S], axis=1).clip(min=0)
        return replace(self, ends=ends_S3)

    @property
    def whole(self) -> tuple[int, int, int]:
        """Rows of all series up to the end of the training, validation and test part."""
        return tuple(self.ends.sum(axis=0).tolist())

    def in_part(self, part: str) -> np.ndarray:
        """[T] bool, which rows lie in a part."""
        place = PARTS.index(part)
        rows = np.arange(self.bounds[-1]) - np.repeat(self.bounds[:-1], np.diff(self.bounds))
        begins, ends = self._part(place)
        lengths = np.diff(self.bounds)
        return (rows >= np.repeat(begins, lengths)) & (rows < np.repeat(ends, lengths))

    def before(self, part: str) -> np.ndarray:
        """[T] bool, which rows lie before a part; of the training part, those in it."""
        earlier = PARTS[:PARTS.index(part)] or PARTS[:1]
        return np.any([self.in_part(each) for each in earlier], axis=0)

    def starts(self, part: str, look_back: int, horizon: int, stride: int) -> np.ndarray:
        """[N] int64, rows of all series at which the windows of a part begin."""
        begins, ends = self._part(PARTS.index(part))
        firsts = np.maximum(begins, look_back)
        counts = (ends - horizon - firsts) // stride + 1
        counts = np.where((ends > begins) & (firsts + horizon <= ends), counts, 0)
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(self.bounds[:-1] + firsts - look_back, counts) + stride * offsets

    def check(self, part: str, look_back: int, horizon: int) -> None:
        """Refuse one series without a window in a part that has rows.

        Raises:
            DataError: says how many rows there are, and are needed.
        """
        begin, end = (int(each[0]) for each in self._part(PARTS.index(part)))
        if (begin == end and part != 'train') or max(begin, look_back) + horizon <= end:
            return
        reach = '' if part == 'train' else ', whose targets lie in the part,'
        raise DataError(
            f'the {PART_NAMES[part]} part has {end - begin} rows ({begin} to {end - 1}): no window '
            f'of look_back {look_back} + horizon {horizon} = {look_back + horizon} rows{reach} '
            'fits', hint='shorten look_back or horizon, take a longer series, or give the part '
            'more rows (ratios, borders)')

    def _part(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        begins = self.ends[:, place - 1] if place else np.zeros(len(self.ends), dtype=np.int64)
        return begins, self.ends[:, place]


def divide(series: Series, look_back: int, horizon: int, borders: Sequence[int] | None,
           ratios: Sequence[float], short: str, origin: Sequence[int] | None = None
           ) -> tuple[Series, Division]:
    """Parts of a series or a panel, of this without the series that are too short if they are to
    be left out.

    Args:
        series: One or many.
        look_back: Rows of input.
        horizon: Rows of targets.
        borders: Of one series; None for `ratios`.
        ratios: Shares of the three parts.
        short: What becomes of a series of a panel without a training window: 'error', or 'drop'.
        origin: See `Division.rolled`.

    Raises:
        DataError: one series has a part without a window; a panel has borders, or series are too
            short and not to be left out, or all are.
    """
    if series.ids:
        return _divide_panel(series, look_back, horizon, borders, ratios, short, origin)
    division = Division.of_one(len(series.values), borders, ratios)
    if origin is not None:
        division = division.rolled(origin, horizon)
    for part in PARTS:
        division.check(part, look_back, horizon)
    return series, division


def _divide_panel(series: Series, look_back: int, horizon: int, borders: Sequence[int] | None,
                  ratios: Sequence[float], short: str, origin: Sequence[int] | None
                  ) -> tuple[Series, Division]:
    if borders is not None:
        raise DataError(f'borders={tuple(borders)} are rows of one series, and there are '
                        f'{len(series.ids):,}', hint='ratios=(0.7, 0.1, 0.2): of each series')
    division = Division.of_panel(series.bounds, ratios, horizon)
    if origin is not None:
        division = division.rolled(origin, horizon)
    need = look_back + horizon
    few = division.ends[:, 0] < need
    if not few.any():
        return series, division
    shortest = [series.ids[place] for place in np.flatnonzero(few)[:3]]
    shown = ', '.join(f'`{name}`' for name in shortest) + (', ...' if few.sum() > 3 else '')
    told = f'{int(few.sum()):,} of {len(few):,} series have no training window of look_back ' \
           f'{look_back} + horizon {horizon} = {need} rows ({shown})'
    if short == 'error' or few.all():
        raise DataError(
            f'`{series.path}`: {told}', hint='shorten look_back or horizon'
            + ("; short='drop' of the data set leaves these out" if not few.all() else ''))
    kept = replace(series.members(np.flatnonzero(~few)),
                   notes=[*series.notes, f'{told}: left out'])
    return kept, Division(kept.bounds, division.ends[~few])
