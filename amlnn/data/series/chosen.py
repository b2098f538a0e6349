"""Which columns of a series are forecast, and which rows of it are its past.

T rows, C target columns, S series.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from amlnn.data.series.csv_table import NO_NAME
from amlnn.data.series.series import Series
from amlnn.errors import DataError

__all__ = ['check_all_end', 'check_end', 'choose_columns', 'future_rows', 'without_future']


def choose_columns(series: Series, targets: Sequence[str] | None, extra: Sequence[str],
            known: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the columns to forecast, and of those that are input only.

    Args:
        series: As it was read.
        targets: Columns to forecast; None for all others, less those that nobody means.
        extra: Columns of the past.
        known: Columns that are known for the rows to come.

    Raises:
        DataError: a column is not there, has no name, or is chosen twice; or none is left.
    """
    for name, value in (('targets', targets), ('extra', extra), ('known', known)):
        if isinstance(value, str):
            raise DataError(f'{name} is the text `{value}`', hint=f'{name}=[{value!r}]')
    if targets is None:
        targets = [name for name in series.columns if name not in (*extra, *known)]
        nameless = [name for name in series.aside
                    if name.startswith(NO_NAME) and name not in extra]
        if nameless:
            raise DataError(
                f'`{series.path}`: column `{nameless[0]}` has no name: is it meant to be forecast?',
                hint=f'targets={targets} leaves it out, or columns=... of the source; pandas '
                'writes row numbers there, without index=False')
    names = [*targets, *extra, *known]
    for name in names:
        series.select([name])
        if names.count(name) > 1:
            raise DataError(f'column `{name}` is chosen twice',
                            hint='a column is a target, extra or known, once')
    if not targets:
        raise DataError('no column is left to forecast',
                        hint='targets names columns that are not extra or known')
    return list(targets), list(extra)


def without_future(series: Series, targets: Sequence[str], extra: Sequence[str],
                   known: Sequence[str]) -> Series:
    """The series without the last rows in which known columns alone have values.

    Args:
        series: One or many.
        targets: Columns to forecast.
        extra: Columns of the past.
        known: Columns that are known for the rows to come.

    Raises:
        DataError: the last rows lack values, and are no future.
    """
    count = future_rows(series, targets) if known else np.zeros(len(series.bounds) - 1, np.int64)
    if not count.any():
        if series.doubt and not series.select([*targets, *extra])[1].all():
            raise series.doubt
        return series
    lengths = np.diff(series.bounds)
    inside = np.arange(series.bounds[-1]) - np.repeat(series.bounds[:-1], lengths)
    kept = np.flatnonzero(inside < np.repeat(lengths - count, lengths))
    cut = replace(series, **series.cut(kept), doubt=None,
                  bounds=np.concatenate([[0], np.cumsum(lengths - count)]), notes=[
        *series.notes, f'the last {int(count.max()):,} rows are the future, of which '
        f'{", ".join(known)} alone is known' + (' (of the series with most of them)'
                                                if series.ids else '')])
    if series.doubt and not cut.select([*targets, *extra])[1].all():
        raise series.doubt
    return cut


def future_rows(series: Series, targets: Sequence[str]) -> np.ndarray:
    """[S] int64, how many rows at the end of each series have no value of what is forecast."""
    some = series.select(targets)[1].any(axis=1)
    last = np.maximum.reduceat(np.where(some, np.arange(len(some)), -1), series.bounds[:-1])
    return np.where(last < series.bounds[:-1], 0, series.bounds[1:] - 1 - last)


def check_end(series: Series, targets: Sequence[str]) -> None:
    """Refuse last rows in which no target was observed: they are the future, and no history.

    Args:
        series: One or many.
        targets: Columns to forecast.

    Raises:
        DataError: counts the rows, and names the first.
    """
    counts = future_rows(series, targets)
    if not counts.any():
        return
    place = int((counts > 0).argmax())
    count = int(counts[place])
    first = int(series.bounds[place + 1]) - count
    when = '' if series.times is None else f' (`{series.shown(first)}` on)'
    several = f'the last {count:,} rows have' if count > 1 else 'the last row has'
    other = '' if series.ids else f'leave them out with rows=(0, {first}) of the source, or '
    raise DataError(
        f'{series.where(first)}{series.name_of(first)}: {several} no value of what is forecast'
        f'{when}', hint=f'take rows of the future out of the file, {other}name what is known of '
        'them: known=[...] of the data set; a forecast begins after the last row')


def check_all_end(series: Series, targets: Sequence[str], horizon: int) -> list[str]:
    """Refuse rows of the future that hold what is known ahead, where nobody said that it is.

    Of one series it is only said: a sensor may have stopped.

    Args:
        series: One or many.
        targets: Columns that are forecast because nobody chose any.
        horizon: Rows of a forecast: as many as these are no values that come late.

    Returns:
        What is to be said.

    Raises:
        DataError: some columns end that many rows before the others do, in every series of many.
    """
    observed = series.select(targets)[1]
    rows = np.arange(len(observed))[:, None]
    last = np.maximum.reduceat(np.where(observed, rows, -1), series.bounds[:-1], axis=0)
    ended = (series.bounds[1:, None] - 1 - last >= horizon).all(axis=0)
    going = (last == series.bounds[1:, None] - 1).all(axis=0)
    if not (ended.any() and going.any()):
        return []
    short, on = ([name for name, is_so in zip(targets, each, strict=True) if is_so]
                 for each in (ended, going))
    column = targets.index(short[0])
    first = int(last[0, column]) + 1
    what = f'{series.where(first)}{series.name_of(first)}: `{short[0]}` has no value from here ' \
           f'on, and `{on[0]}` has'
    hint = f'--cfg-options train_dataloader.dataset.known="{on}" if they are known ahead; ' \
           f'targets of the data set, if {"all" if len(targets) > 2 else "both"} are forecast'
    if not series.ids:
        return [f'{what}: {hint}']
    raise DataError(f'{what}, as in all series: are these rows to come?', hint=hint)
