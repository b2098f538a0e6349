"""The scale of a series, learned from its training rows only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.scales import unscaled

if TYPE_CHECKING:
    from amlnn.data.series.series import Series

__all__ = ['SeriesScaler', 'StandardScaler', 'fit_scaler']


@dataclass
class StandardScaler:
    """Takes a column's mean away and divides by its deviation.

    >>> scaler = StandardScaler.fit(np.array([[1.0], [3.0]]))
    >>> scaler.transform(np.array([[5.0]])).tolist(), scaler.to_dict()
    ([[3.0]], {'mean': [2.0], 'deviation': [1.0]})
    """

    mean: np.ndarray
    """[C] float64."""
    deviation: np.ndarray
    """[C] float64, of the population (the sum of squares is divided by the count), above 0."""

    @classmethod
    def fit(cls, values: np.ndarray, observed: np.ndarray | None = None,
            columns: Sequence[str] | None = None) -> 'StandardScaler':
        """Learn from training rows.

        Args:
            values: [T, C].
            observed: [T, C] bool; what is False is left out.
            columns: The C names, for errors.

        Raises:
            DataError: a column has no value, or the same value in all rows.
        """
        values = np.asarray(values, dtype=np.float64)
        names = [str(place) for place in range(values.shape[1])] if columns is None else columns
        mean, deviation = np.empty(values.shape[1]), np.empty(values.shape[1])
        for place, name in enumerate(names):
            column = values[:, place]
            if observed is not None:
                column = column[observed[:, place]]
            hint = f'leave `{name}` out (columns of the source, targets), or set scale=False'
            if not len(column):
                raise DataError(f'column `{name}` has no value in the {len(values)} training rows',
                                hint=hint)
            # Not `deviation == 0`: the mean of equal numbers may miss them by a rounding error.
            if column.min() == column.max():
                raise DataError(f'column `{name}` is {column[0]:.15g} in all {len(values)} '
                                'training rows: its deviation is 0', hint=hint)
            mean[place], deviation[place] = column.mean(), column.std()
        return cls(mean, deviation)

    @classmethod
    def identity(cls, columns: int) -> 'StandardScaler':
        """The scaler of `columns` columns that changes nothing."""
        return cls(np.zeros(columns), np.ones(columns))

    @classmethod
    def from_dict(cls, state: dict[str, list[float]]) -> 'StandardScaler':
        """The scaler of which `to_dict` made `state`."""
        return cls(np.array(state['mean'], dtype=np.float64),
                   np.array(state['deviation'], dtype=np.float64))

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists, for a checkpoint."""
        return {'mean': self.mean.tolist(), 'deviation': self.deviation.tolist()}

    def transform(self, values: np.ndarray) -> np.ndarray:
        """[..., C] in the scale of the data to scaled."""
        return (values - self.mean) / self.deviation

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """[..., C] scaled to the scale of the data."""
        return unscaled(values, self.mean, self.deviation)


@dataclass
class SeriesScaler:
    """A scale of its own for each series of a panel.

    A column that never changes in the training rows of a series has, there, the median deviation
    of the others: nothing is divided by 0, and what happens to it later is on their scale.
    """

    ids: list[str]
    """The S names."""
    mean: np.ndarray
    """[S, C] float64."""
    deviation: np.ndarray
    """[S, C] float64, above 0."""
    notes: list[str] = field(default_factory=list)
    """What was concluded, a sentence each."""

    @classmethod
    def fit(cls, series: 'Series', training: np.ndarray, columns: Sequence[str],
            usual: np.ndarray | None = None) -> 'SeriesScaler':
        """Learn from the training rows of each series.

        Args:
            series: The panel.
            training: [T] bool, rows of the training parts.
            columns: The C names.
            usual: [C], the deviation of a column that never changes in a series; None for the
                median of the others.

        Raises:
            DataError: a column never changes in any series, or has no value in one.
        """
        values, observed = series.select(columns)
        counted = observed & training[:, None]
        starts = series.bounds[:-1]

        def sums(each):
            return np.add.reduceat(np.where(counted, each, 0.0), starts, axis=0)

        counts = np.add.reduceat(counted, starts, axis=0, dtype=np.int64)
        none = np.argwhere(counts == 0)
        if len(none):
            place, column = none[0]
            raise DataError(
                f'column `{columns[column]}` has no value in the training rows of series '
                f'`{series.ids[place]}`' + (f', the first of {len(none)}' if len(none) > 1 else ''),
                hint='leave the series out of the file, or the column (targets)')
        mean = sums(values) / counts
        codes = series.series_of_rows
        deviation = np.sqrt(sums(np.square(np.where(counted, values - mean[codes], 0.0))) / counts)
        low, high = (reduce(np.where(counted, values, empty), starts, axis=0) for reduce, empty in
                     ((np.minimum.reduceat, np.inf), (np.maximum.reduceat, -np.inf)))
        still, notes = low == high, []
        for column, name in enumerate(columns):
            if usual is None and still[:, column].all():
                raise DataError(f'column `{name}` never changes in the training rows of any series',
                                hint=f'leave `{name}` out (columns of the source, targets), or set '
                                'scale=False')
            deviation[still[:, column], column] = usual[column] if usual is not None \
                else np.median(deviation[~still[:, column], column])
            if still[:, column].any():
                shown = series.ids[int(still[:, column].argmax())]
                notes.append(f'`{name}` never changes in the training rows of '
                             f'{int(still[:, column].sum()):,} series (`{shown}`)')
        return cls(list(series.ids), mean, deviation, notes)

    @classmethod
    def identity(cls, ids: Sequence[str], columns: int) -> 'SeriesScaler':
        """The scaler that changes nothing."""
        shape = len(ids), columns
        return cls(list(ids), np.zeros(shape), np.ones(shape))

    @classmethod
    def from_dict(cls, state: dict) -> 'SeriesScaler':
        """The scaler of which `to_dict` made `state`."""
        return cls(list(state['ids']), np.array(state['mean'], dtype=np.float64),
                   np.array(state['deviation'], dtype=np.float64))

    def to_dict(self) -> dict:
        """Plain lists, for a checkpoint."""
        return {'ids': self.ids, 'mean': self.mean.tolist(), 'deviation': self.deviation.tolist()}

    def places(self, ids: Sequence[str]) -> np.ndarray:
        """[S] int64, the place of each of these names, -1 of one that is not known."""
        known = {name: place for place, name in enumerate(self.ids)}
        return np.array([known.get(name, -1) for name in ids], dtype=np.int64)

    def with_unseen(self, series: 'Series', past: np.ndarray,
                    columns: Sequence[str]) -> 'SeriesScaler':
        """This one, and behind its series those of a file that it does not know.

        Each has the scale of its own rows before what is forecast; a column that stands still in
        these has the median deviation of the training's series. Where the training scaled nothing,
        nothing is.

        Args:
            series: The panel.
            past: [T] bool, which of its rows lie before what is forecast.
            columns: The C names.

        Raises:
            DataError: a column has no value in the past of a series.
        """
        unseen = np.flatnonzero(self.places(series.ids) < 0)
        if not len(unseen):
            return self
        fresh = series.members(unseen)
        if not self.mean.any() and (self.deviation == 1).all():
            more = SeriesScaler.identity(fresh.ids, len(columns))
        else:
            more = SeriesScaler.fit(fresh, past[np.isin(series.series_of_rows, unseen)], columns,
                                    np.median(self.deviation, axis=0))
        return SeriesScaler([*self.ids, *more.ids], np.concatenate([self.mean, more.mean]),
                            np.concatenate([self.deviation, more.deviation]), more.notes)

    def transform_rows(self, values: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """[T, C] in the scale of the data to scaled; `codes` [T] are places in `ids`."""
        return (values - self.mean[codes]) / self.deviation[codes]


def fit_scaler(series: 'Series', training: np.ndarray, past: np.ndarray, columns: Sequence[str],
               scale: bool, state: dict | None
               ) -> tuple[StandardScaler | SeriesScaler, list[str]]:
    """The scale of one series or of many, and what was concluded, a sentence each.

    Args:
        series: One or many.
        training: [T] bool, rows of the training parts.
        past: [T] bool, rows before what is forecast, by which series are scaled that `state` does
            not know.
        columns: The C names.
        scale: False leaves values as they are.
        state: `to_dict` of a checkpoint's scaler, which then counts instead of the training rows.

    Raises:
        DataError: the checkpoint is of one series and the file of many, or the other way round; or
            there is nothing to learn a scale from.
    """
    if state is not None and bool(series.ids) != ('ids' in state):
        raise _other_number(series, state)
    if not series.ids:
        if state is not None:
            return StandardScaler.from_dict(state), []
        if not scale:
            return StandardScaler.identity(len(columns)), []
        values, observed = (each[training] for each in series.select(columns))
        return StandardScaler.fit(values, observed, columns), []
    if state is None:
        found = SeriesScaler.fit(series, training, columns) if scale \
            else SeriesScaler.identity(series.ids, len(columns))
    else:
        found = SeriesScaler.from_dict(state).with_unseen(series, past, columns)
    return found, found.notes


def _other_number(series: 'Series', state: dict) -> DataError:
    if series.ids:
        return DataError(f'the model was trained on one series, and `{series.path}` has '
                         f'{len(series.ids):,}', hint='give it a file of one, or train on many')
    return DataError(f'the model was trained on {len(state["ids"]):,} series, and '
                     f'`{series.path}` is read as one', hint='id_column of the source names the '
                     'column that tells series apart, in training and here')
