"""Rows that are missing from a series, and rows that lie where none should.

T rows.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from amlnn.data.series.series import Series
from amlnn.data.series.time_grid import TimeGrid, infer_grid
from amlnn.errors import DataError

__all__ = ['check_gaps', 'is_regular', 'lay_on_grid']

_MOST_INSERTED = 20
"""Rows inserted for each that is there: more are a mistake, or two files in one."""


def check_gaps(gaps: str) -> None:
    """Refuse a value of `gaps` that means nothing."""
    if gaps not in ('error', 'mask'):
        raise DataError(f'gaps={gaps!r}', hint="gaps is 'error' or 'mask'")


def lay_on_grid(series: Series, gaps: str = 'error', grid: TimeGrid | None = None) -> Series:
    """The series with every row on its time grid and none missing within a series.

    Args:
        series: As it was read; one without times comes back as it is. The series of a panel have
            one step, that of the longest of them, and begin and end when they do.
        gaps: 'error', or 'mask' to insert missing rows, in which nothing was observed.
        grid: What to lay it on; None to infer it.

    Raises:
        DataError: rows are missing, lie beside the grid, or the step changes in the middle.
    """
    if series.times is None or len(series.times) < 2:
        return series
    return _lay_panel(series, gaps, grid) if series.ids else _lay(series, gaps, grid)


def _lay_panel(series: Series, gaps: str, grid: TimeGrid | None) -> Series:
    longest = int(np.diff(series.bounds).argmax())
    found = grid or infer_grid(series.member(longest).times, series.clock)
    if found is None:  # no series has two rows
        return series
    if grid is None and found.unit == 'daytime':  # some are open longer than others
        of_all = infer_grid(np.unique(series.times), series.clock)
        found = of_all if of_all.unit == 'daytime' and of_all.count == found.count \
            else TimeGrid('second', found.count)
    irregular = np.flatnonzero(~is_regular(series, found))
    laid, notes = {}, []
    for place in irregular:
        member = series.member(place)
        try:
            if grid is None:
                _check_step(series, member, place, longest, found)
                _check_change(member, found, alone=False)
            laid[int(place)] = _lay(member, gaps, found)
        except DataError as error:
            if error.message.startswith(f'`{series.path}`: series'):
                raise
            raise DataError(f'series `{series.ids[place]}`: {error.message}',
                            hint=error.hint) from None
    lengths = np.diff(series.bounds)
    inserted = {place: len(each.values) - int(lengths[place]) for place, each in laid.items()}
    count = sum(inserted.values())
    if count:
        most = max(inserted, key=inserted.get)
        notes = [f'{count:,} missing rows were inserted in {sum(map(bool, inserted.values())):,} '
                 f'series, most of them ({inserted[most]:,}) in `{series.ids[most]}`']
        parts = [laid.get(place) or series.member(place) for place in range(len(series.ids))]
        series = series.joined(parts)
    return replace(series, grid=found, notes=[*series.notes, *notes])


def is_regular(series: Series, grid: TimeGrid) -> np.ndarray:
    """[S] bool: True where no look at the calendar is needed to see that all rows follow.

    Args:
        series: A panel with times.
        grid: What its rows may lie on.
    """
    if grid.unit not in ('second', 'day') or (grid.unit == 'day' and series.clock.zone):
        return np.diff(series.bounds) < 2
    wrong = np.diff(series.times).astype(np.int64) != grid.seconds
    wrong[series.bounds[1:-1] - 1] = False
    return np.bincount(series.series_of_rows[:-1][wrong], minlength=len(series.ids)) == 0


def _check_step(panel: Series, member: Series, place: int, longest: int, grid: TimeGrid) -> None:
    """Refuse a series whose rows follow each other in another step than those of the others."""
    own = infer_grid(member.times, member.clock)
    if own is None or own.same_step(grid) or len(member.times) < 10 \
            or own.only_hours_differ(grid):
        return
    positions = own.positions(member.times, member.clock)
    if (np.diff(positions) == 1).mean() > 0.9 and (positions >= 0).all():
        raise DataError(
            f'`{panel.path}`: series `{panel.ids[place]}` has rows of {own.name}, and '
            f'`{panel.ids[longest]}` has rows of {grid.name}',
            hint='a model forecasts series of one step: give those of each step a file of their '
            'own, or bring all rows to one step')


def _lay(series: Series, gaps: str, grid: TimeGrid | None) -> Series:
    given = grid is not None
    grid = grid or infer_grid(series.times, series.clock)
    positions = grid.positions(series.times, series.clock)
    steps = np.diff(positions)
    if (positions >= 0).all() and (steps == 1).all():
        return replace(series, grid=grid)
    if not given:
        _check_change(series, grid)
    wrong = np.flatnonzero((positions[1:] < 0) | (positions[:-1] < 0) | (steps < 1))
    if len(wrong):
        _refuse_irregular(series, grid, positions, given)
    if gaps == 'error':
        _refuse_gaps(series, grid, steps)
    if positions[-1] + 1 > (1 + _MOST_INSERTED) * len(positions):
        raise DataError(
            f'{series.where(0)}: {positions[-1] + 1 - len(positions):,} rows of {grid.name} are '
            f'missing between {len(positions):,}: more than {_MOST_INSERTED} for each that is '
            'there', hint="is a date wrong, or the step? step='1 day' of the source, say, names it")
    whole = series.spread(positions, grid.at(series.times[0], np.arange(positions[-1] + 1),
                                             series.clock))
    note = f'{positions[-1] + 1 - len(positions):,} missing rows were inserted, in ' \
           f'{int((steps > 1).sum()):,} gaps'
    return replace(whole, grid=grid, notes=[*series.notes, note])


def _refuse_gaps(series: Series, grid: TimeGrid, steps: np.ndarray) -> None:
    places = np.flatnonzero(steps > 1)
    missing = steps[places] - 1
    first, size = int(places[0]) + 1, int(missing[0])
    count = f'the first of {len(places):,} gaps, {missing.sum():,} rows in all' \
        if len(places) > 1 else 'a gap'
    rows = f'{size:,} rows of {grid.name} are' if size > 1 else f'a row of {grid.name} is'
    hint = "gaps='mask' of the source inserts them as missing rows, which models leave out; or " \
           'fill them in'
    if _skips_an_hour_in_spring(series, grid, places, missing):
        hint = "timezone='Europe/Berlin' of the source, say, if clocks were put forward there; " \
               f'else {hint}'
    raise DataError(f'{series.where(first)}: {rows} missing before `{series.shown(first)}` '
                    f'({count})', hint=hint)


def _skips_an_hour_in_spring(series: Series, grid: TimeGrid, places: np.ndarray,
                             missing: np.ndarray) -> bool:
    """Whether all gaps look like those of local time: an hour of a night, once a year."""
    if series.clock.zone is not None or grid.unit != 'second':
        return False
    starts = series.times[places]
    hours = (starts - starts.astype('datetime64[D]')).astype('timedelta64[h]').astype(int)
    return bool((missing * grid.count == 3600).all() and (hours < 4).all()
                and len(np.unique(starts.astype('datetime64[Y]'))) == len(starts))


def _refuse_irregular(series: Series, grid: TimeGrid, positions: np.ndarray,
                      given: bool) -> None:
    off = np.flatnonzero(positions < 0) if (positions < 0).any() \
        else np.flatnonzero(np.diff(positions) < 1) + 1
    row = int(off[0])
    seconds = np.diff(series.times).astype(np.int64)
    what = f'step={grid.name!r} says' if given else 'most rows are'
    apart = f'{what} {"one every " if given else ""}{grid.name}' \
        + ('' if given or grid.unit in ('weekday', 'month') else ' apart')
    least, most = (_in_words(each) for each in (seconds.min(), seconds.max()))
    raise DataError(
        f'{series.where(row)}: `{series.shown(row)}` comes {_in_words(seconds[row - 1])} after '
        f'the row before, and {apart}: {len(off):,} of {len(positions):,} rows are irregular '
        f'({least} to {most} apart)',
        hint="resample='mean' of the source (or 'sum', 'last') brings the rows to one step; step= "
        'names the right one if it is another; date_column=None counts rows instead of time')


def _check_change(series: Series, grid: TimeGrid, alone: bool = True) -> None:
    """Refuse a step that changes for good: the other one would look like one gap after another."""
    if grid.unit in ('weekday', 'month', 'daytime'):
        return
    seconds = np.diff(series.times).astype(np.int64)
    borders = np.flatnonzero(np.diff(seconds)) + 1
    starts = np.concatenate([[0], borders])
    lengths = np.diff(np.concatenate([starts, [len(seconds)]]))
    long = [(start, seconds[start]) for start, length in zip(starts, lengths, strict=True)
            if length >= max(10, len(seconds) // 50)]
    for (_, before), (start, after) in pairwise(long):
        if before != after:
            raise DataError(
                f'{series.where(start)}: the rows are {_in_words(before)} apart up to '
                f'`{series.shown(start)}`, and {_in_words(after)} from there on',
                hint=f'rows=(0, {start + 1}) of the source reads the first part; or bring all rows '
                'to one step' if alone else "step='7 days' and resample='mean' of the source, say, "
                'bring all series to one step; or leave this one out of the file')


def _in_words(seconds: int) -> str:
    """A time as the largest units that fit.

    >>> _in_words(5400), _in_words(90000), _in_words(1980)
    ('1.5 hours', '1.04 days', '33 minutes')
    """
    seconds = int(seconds)
    for size, unit in ((86400, 'day'), (3600, 'hour'), (60, 'minute')):
        if abs(seconds) >= size:
            number = round(seconds / size, 2)
            text = f'{number:.2f}'.rstrip('0').rstrip('.')
            return f'{text} {unit}{"s" * (number != 1)}'
    return f'{seconds} second{"s" * (seconds != 1)}'
