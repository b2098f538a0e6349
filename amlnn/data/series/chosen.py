"""Which columns of a series are forecast, and which rows of it are its past.

T rows, C target columns, S series.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from amlnn.data.series.csv_table import NO_NAME
from amlnn.data.series.series import Series
from amlnn.errors import DataError

__all__ = ['check_all_end', 'check_end', 'choose_columns', 'conclude_known', 'future_rows',
           'rows_since_last', 'without_future']


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


def conclude_known(series: Series, targets: Sequence[str] | None,
                   extra: Sequence[str]) -> list[str]:
    """Flags (two values, no gap) that go on where every other column has ended: known ahead.

    Args:
        series: As it was read, rows to come included.
        targets: Columns to forecast; None where that is to be found out too.
        extra: Columns of the past.

    Returns:
        Their names; none where the columns end otherwise than all flags and all others together.
    """
    names = [name for name in series.columns if name not in extra]
    since_SC = rows_since_last(series, names)
    flags = [place for place, name in enumerate(names)
             if name not in (targets or ()) and _is_flag(*series.select([name]))]
    others = [place for place in range(len(names)) if place not in flags]
    if targets is not None:
        others = [place for place in others if names[place] in targets]
    if not flags or not others or since_SC[:, flags].any():
        return []
    ends_S = since_SC[:, others]
    together = (ends_S == ends_S[:, :1]).all() and ends_S[:, 0].any()
    return [names[place] for place in flags] if together else []


def _is_flag(values_T1: np.ndarray, observed_T1: np.ndarray) -> bool:
    return bool(observed_T1.all() and len(np.unique(values_T1)) == 2)


def rows_since_last(series: Series, names: Sequence[str]) -> np.ndarray:
    """[S, C] int64, how many rows at the end of each series have no value of a column."""
    observed_TC = series.select(list(names))[1]
    rows_T = np.arange(len(observed_TC))
    last_SC = np.maximum.reduceat(np.where(observed_TC, rows_T[:, None], -1), series.bounds[:-1])
    return series.bounds[1:, None] - 1 - np.maximum(last_SC, series.bounds[:-1, None] - 1)


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


def check_all_end(series: Series, targets: Sequence[str], horizon: int,
                  ask: bool = False) -> list[str]:
    """Refuse rows of the future that hold what is known ahead, where nobody said that it is.

    Of one series it is only said, for a sensor may have stopped, unless it is to be asked.

    Args:
        series: One or many.
        targets: Columns that are forecast because nobody chose any.
        horizon: Rows of a forecast: as many as these are no values that come late.
        ask: Whether it was left open what is known ahead.

    Returns:
        What is to be said.

    Raises:
        DataError: some columns end that many rows before the others do, in every series of many.
    """
    since_SC = rows_since_last(series, targets)
    ended, going = (since_SC >= horizon).all(axis=0), (since_SC == 0).all(axis=0)
    if not (ended.any() and going.any()):
        return []
    short, on = ([name for name, is_so in zip(targets, each, strict=True) if is_so]
                 for each in (ended, going))
    column = targets.index(short[0])
    first = int(series.bounds[1] - since_SC[0, column])
    what = f'{series.where(first)}{series.name_of(first)}: `{short[0]}` has no value from here ' \
           f'on, and `{on[0]}` has'
    hint = f'--cfg-options train_dataloader.dataset.known="{on}" if they are known ahead; ' \
           f'targets of the data set, if {"all" if len(targets) > 2 else "both"} are forecast'
    if not series.ids and not ask:
        return [f'{what}: {hint}']
    every = ', as in all series' if series.ids else ''
    raise DataError(f'{what}{every}: are these rows to come?', hint=hint)
