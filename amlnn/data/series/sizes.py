"""How far to look back and ahead, where nobody says it."""

from dataclasses import replace

import numpy as np

from amlnn.data.series.csv_columns import AUTO
from amlnn.data.series.series import Series
from amlnn.data.series.time_grid import TimeGrid
from amlnn.errors import DataError

__all__ = ['check_sizes', 'conclude_calendar', 'conclude_sizes', 'with_calendar']

# Rows back and ahead by the seconds of a step: what people who have such data ask for.
_USUAL = {60: (720, 60), 300: (576, 72), 600: (432, 72), 900: (672, 96), 1200: (504, 72),
          1800: (336, 48), 3600: (336, 24), 86400: (112, 28), 7 * 86400: (104, 13)}
_MONTHS = {1: (36, 12), 3: (16, 4), 12: (15, 5)}
_BUSINESS = (120, 20)
_ELSE = (96, 24)


def check_sizes(look_back: int | str, horizon: int | str, stride: int, season: int | None) -> None:
    """Refuse what are no numbers of rows.

    Raises:
        DataError: names the first.
    """
    sizes = dict(look_back=look_back, horizon=horizon, stride=stride,
                 season=1 if season is None else season)
    for name, value in sizes.items():
        if value == AUTO and name in ('look_back', 'horizon'):
            continue
        if not isinstance(value, int) or value < 1:
            raise DataError(f'{name}={value!r} is not a whole number of rows above 0',
                            hint=f'{name}=24, say')


def conclude_sizes(look_back: int | str, horizon: int | str, grid: TimeGrid | None, rows: int,
                   season: int | None, many: bool = False) -> tuple[int, int]:
    """Look-back and horizon, where they are 'auto', by the step and the length of the series.

    A look-back is a multiple of the season where one fits, and short enough for ten times as many
    rows; a horizon is at most a twentieth of them.

    Args:
        look_back: Rows, or 'auto'.
        horizon: Likewise.
        grid: What the rows lie on, None without times.
        rows: Of the series; of a panel, those of the median.
        season: Rows of the main cycle, if there is one.
        many: Whether it is a panel, for messages.

    Raises:
        DataError: the series is too short for anything.

    >>> conclude_sizes('auto', 'auto', TimeGrid.parse('1 hour'), 20000, 24)
    (336, 24)
    >>> conclude_sizes('auto', 12, TimeGrid.parse('1 day'), 300, 7)
    (28, 12)
    """
    back, ahead = _usual(grid)
    if horizon == AUTO:
        horizon = max(1, min(ahead, rows // 20))
    if look_back == AUTO:
        look_back = max(horizon if horizon * 10 <= rows else 1, min(back, rows // 10))
        if season and look_back > season:
            look_back -= look_back % season
    if look_back + horizon >= rows:
        which = 'half of the series have at most' if many else 'the series has'
        raise DataError(f'{which} {rows} rows, too few for a look-back of {look_back} and '
                        f'a horizon of {horizon}', hint='take a longer series, or set look_back '
                        'and horizon of the data set lower')
    return look_back, horizon


def with_calendar(series: Series, grid: TimeGrid | None) -> tuple[Series, list[str]]:
    """What a calendar can say of the rows of a series, which notes it."""
    days = 0 if series.times is None else np.ptp(series.times.astype(np.int64)) / 86400
    calendar = conclude_calendar(grid, days)
    if not calendar:
        return series, []
    note = f'known ahead of the calendar: {", ".join(calendar)}'
    return replace(series, notes=[*series.notes, note]), calendar


def conclude_calendar(grid: TimeGrid | None, days: float) -> list[str]:
    """What a calendar can say of rows of this step: see `amlnn.data.series.known.CALENDAR`.

    Args:
        grid: What the rows lie on, None without times.
        days: From the first row to the last; a year is told apart in two of them.

    >>> conclude_calendar(TimeGrid.parse('1 hour'), 400), conclude_calendar(None, 0)
    (['hour', 'weekday'], [])
    >>> conclude_calendar(TimeGrid.parse('1 hour'), 800)
    ['hour', 'weekday', 'year']
    """
    if grid is None:
        return []
    found = ['hour'] if grid.unit in ('second', 'daytime') else []
    if grid.unit in ('second', 'daytime', 'weekday') or (grid.unit == 'day' and grid.count % 7):
        found.append('weekday')
    return found + (['year'] if days >= 2 * 365 and _steps_a_year(grid) > 1 else [])


def _steps_a_year(grid: TimeGrid) -> float:
    """About how many rows a year has."""
    if grid.unit == 'month':
        return 12 / grid.count
    return 366 * 86400 / (grid.seconds or 86400)


def _usual(grid: TimeGrid | None) -> tuple[int, int]:
    if grid is None:
        return _ELSE
    if grid.unit == 'month':
        return _MONTHS.get(grid.count, _MONTHS[1])
    if grid.unit == 'weekday':
        return _BUSINESS
    if grid.unit == 'daytime':
        return 7 * grid.per_day, grid.per_day
    return _USUAL.get(grid.seconds, _ELSE)
