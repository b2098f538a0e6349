"""Columns whose future is known: holidays, prices, what a calendar says, what a series always is.

T rows, S series, K known columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from amlnn.data.series.clock import Clock
from amlnn.data.series.scaling import StandardScaler
from amlnn.data.series.series import Series
from amlnn.errors import ConfigError, DataError
from amlnn.suggest import did_you_mean

__all__ = ['CALENDAR', 'KnownColumns', 'calendar_terms', 'holiday_column']

CALENDAR = ('hour', 'weekday', 'year')
"""What `calendar` may name: the time of day and the day of the year, as two waves and their first
overtones each, and an indicator of each day of the week."""
_DAYS = ('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
_MOST_WORDS = 50  # categories of one static column


def calendar_terms(names: Sequence[str], wall: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of a calendar, [T] float64 by name.

    Args:
        names: Of CALENDAR.
        wall: [T] datetime64[s], the times on the wall.

    >>> list(calendar_terms(['hour'], np.array(['2024-01-01T06:00'], 'M8[s]')))
    ['hour_sin', 'hour_cos', 'hour_sin2', 'hour_cos2']
    """
    found = {}
    days = wall.astype('datetime64[D]')
    for name in names:
        if name == 'weekday':
            day = (days.astype(np.int64) + 3) % 7
            found |= {f'weekday_{shown}': (day == place).astype(np.float64)
                      for place, shown in enumerate(_DAYS)}
            continue
        if name == 'hour':
            part = (wall - days).astype('timedelta64[s]').astype(np.int64) / 86400
        else:
            years = days.astype('datetime64[Y]')
            part = (days - years.astype('datetime64[D]')).astype(np.int64) / 365.25
        for count, mark in ((1, ''), (2, '2')):
            found[f'{name}_sin{mark}'] = np.sin(2 * np.pi * count * part)
            found[f'{name}_cos{mark}'] = np.cos(2 * np.pi * count * part)
    return found


def holiday_column(country: str, wall: np.ndarray) -> np.ndarray:
    """[T] float64: 1 on public holidays.

    Args:
        country: As the package `holidays` knows it: 'DE', or with a part of it 'DE-BY'.
        wall: [T] datetime64[s], the times on the wall.

    Raises:
        ConfigError: the package is not installed, or knows no such country.
    """
    days = wall.astype('datetime64[D]')
    years = days.astype('datetime64[Y]').astype(np.int64) + 1970
    known = _holidays(country, int(years.min()), int(years.max()))
    return np.isin(days, known).astype(np.float64)


@cache
def _holidays(country: str, first: int, last: int) -> np.ndarray:
    try:
        import holidays
    except ImportError:
        raise ConfigError(f'holidays={country!r} needs the package holidays',
                          hint='pip install holidays') from None
    name, _, part = country.partition('-')
    supported = holidays.list_supported_countries()
    if name not in supported:
        raise ConfigError(f'holidays={country!r}: no such country',
                          hint=did_you_mean(name, supported)
                          or "two letters, as 'DE', 'US', or with a part 'DE-BY'")
    if part and part not in supported[name]:
        raise ConfigError(f'holidays={country!r}: {name} has no part `{part}`',
                          hint=f'one of {", ".join(supported[name])}')
    found = holidays.country_holidays(name, subdiv=part or None, years=range(first, last + 1))
    return np.array(sorted(found), dtype='datetime64[D]')


@dataclass
class KnownColumns:
    """What is known of the future, and on which scale a model reads it.

    Columns of the file have one scale for all series, that of their training rows; one that is the
    same in all of these is left as it is. Terms of the calendar are not scaled. Of a static column
    numbers are scaled over the series, words become an indicator each; a word that no series of the
    training had is none of them.
    """

    columns: list[str] = field(default_factory=list)
    """Of the file."""
    scaler: StandardScaler | None = None
    """Of these."""
    calendar: list[str] = field(default_factory=list)
    holidays: str | None = None
    static: dict[str, dict] = field(default_factory=dict)
    """By name, 'mean' and 'deviation' of numbers, or the 'words'."""

    @classmethod
    def fit(cls, series: Series, training: np.ndarray, columns: Sequence[str],
            calendar: Sequence[str], holidays: str | None, scale: bool) -> 'KnownColumns':
        """Learn the scales.

        Args:
            series: All rows.
            training: [T] bool, which of them are in a training part.
            columns: See the class.
            calendar: Likewise.
            holidays: Likewise.
            scale: False leaves columns of the file as they are.

        Raises:
            DataError: a name means nothing, a column has no value, or a static one too many words.
        """
        for name in calendar:
            if name not in CALENDAR:
                raise DataError(f'calendar={list(calendar)}: there is no `{name}`',
                                hint=f'some of {", ".join(CALENDAR)}')
        if (calendar or holidays) and series.times is None:
            raise DataError('calendar or holidays is given, and the series has no times',
                            hint='date_column of the source names the column with the times')
        values, observed = series.select(list(columns)) if columns else (None, None)
        scaler = None
        if columns:
            scaler = StandardScaler.identity(len(columns))
            for place, name in enumerate(columns):
                known = values[training & observed[:, place], place]
                if not len(known):
                    raise DataError(f'known column `{name}` has no value in the training rows',
                                    hint=f'fill it in, or take `{name}` out of known')
                if scale and known.min() < known.max():
                    scaler.mean[place], scaler.deviation[place] = known.mean(), known.std()
        static = {name: _static_state(name, each) for name, each in series.static.items()}
        return cls(list(columns), scaler, list(calendar), holidays, static)

    @classmethod
    def from_dict(cls, state: dict) -> 'KnownColumns':
        """The one of which `to_dict` made `state`."""
        scaler = state.get('scaler')
        return cls(**state | {'scaler': scaler and StandardScaler.from_dict(scaler)})

    def to_dict(self) -> dict:
        """Plain lists, for a checkpoint."""
        return dict(columns=self.columns, scaler=self.scaler and self.scaler.to_dict(),
                    calendar=self.calendar, holidays=self.holidays, static=self.static)

    def gaps_in_words(self, series: Series) -> list[str]:
        """What is missing of the columns of a file, and how it is read: a sentence for each."""
        observed = series.select(self.columns)[1] if self.columns else np.ones((0, 0), dtype=bool)
        missing = (~observed).sum(axis=0).tolist()
        return [f'`{name}` is missing in {count:,} rows, and read there as in the row before'
                for name, count in zip(self.columns, missing, strict=True) if count]

    @property
    def names(self) -> list[str]:
        """The K names."""
        terms = calendar_terms(self.calendar, np.zeros(1, 'datetime64[s]'))
        holiday = [f'holiday_{self.holidays}'] if self.holidays else []
        static = []
        for name, state in self.static.items():
            static += [f'{name}={word}' for word in state['words']] if 'words' in state else [name]
        return [*self.columns, *terms, *holiday, *static]

    def values(self, series: Series) -> np.ndarray:
        """[T, K] float64, scaled, never missing: what is missing is as the row before it has it.

        Raises:
            DataError: the series lacks a column.
        """
        parts = list(self.each(series))
        return np.stack(parts, axis=1) if parts else np.empty((len(series.values), 0))

    def each(self, series: Series) -> Iterator[np.ndarray]:
        """The K columns of `values` one after the other, [T] float64 each.

        Raises:
            DataError: the series lacks a column.
        """
        if self.columns:
            values, observed = series.select(self.columns)
            scaled = np.where(observed, self.scaler.transform(values), np.nan)
            yield from _filled(scaled, series.bounds).T
        yield from self.of_times(series.times, series.clock)
        codes = series.series_of_rows if self.static else None
        for name, state in self.static.items():
            if name not in series.static:
                raise DataError(f'`{series.path}` has no static column `{name}`',
                                hint='the model was trained with it')
            for part in _static_parts(series.static[name], state):
                yield part[codes]

    def of_times(self, times: np.ndarray | None, clock: Clock) -> Iterator[np.ndarray]:
        """What times alone say, [T] each: terms of the calendar and holidays."""
        if not (self.calendar or self.holidays):
            return
        known, places = np.unique(times, return_inverse=True)  # many series share their times
        wall = clock.wall(known)
        for term in calendar_terms(self.calendar, wall).values():
            yield term[places]
        if self.holidays:
            yield holiday_column(self.holidays, wall)[places]

    def static_of(self, series: Series) -> np.ndarray:
        """[S, columns] float64: the static columns of each series."""
        parts = [part for name, state in self.static.items()
                 for part in _static_parts(series.static[name], state)]
        return np.stack(parts, axis=1) if parts else np.empty((len(series.bounds) - 1, 0))


def _static_state(name: str, values: np.ndarray) -> dict:
    if values.dtype != object:
        known = values[~np.isnan(values)]
        deviation = float(known.std()) if len(known) else 0.0
        return dict(mean=float(known.mean()) if len(known) else 0.0, deviation=deviation or 1.0)
    words = sorted(set(values))
    if len(words) > _MOST_WORDS:
        raise DataError(f'static column `{name}` has {len(words):,} different words',
                        hint=f'static of the source may leave it out; at most {_MOST_WORDS} kinds '
                        'tell series apart')
    return dict(words=words)


def _static_parts(values: np.ndarray, state: dict) -> list[np.ndarray]:
    if 'words' in state:
        texts = [str(value) for value in values]
        return [np.array([text == word for text in texts], dtype=np.float64)
                for word in state['words']]
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        raise DataError(f'a static column holds `{values[0]}`, and held numbers in training',
                        hint='give the file the columns of the training') from None
    return [np.nan_to_num((numbers - state['mean']) / state['deviation'])]


def _filled(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The same, what is missing being as in the row before it of the same series, else 0."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    rows = np.where(missing, 0, np.arange(len(values))[:, None] + 1)
    starts = np.repeat(bounds[:-1], np.diff(bounds))[:, None]
    last = np.maximum.accumulate(rows, axis=0) - 1
    found = np.take_along_axis(values, last.clip(min=0), axis=0)
    return np.where(last >= starts, found, 0.0)
