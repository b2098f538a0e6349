"""Figures of forecasts: against the truth, their error by step, and the parts of a series."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amlnn.formulas.scales import unscaled
from amlnn.report.canvas import (
    BANDS,
    COLOURS,
    INK,
    MUTED,
    NARROW,
    QUIET_LINE,
    fit_scale,
    heading,
    new_figure,
    save,
    shorten,
    style_axes,
)
from amlnn.results.forecasting import ChosenWindow, Interval, chosen_windows, window_times
from amlnn.results.forecasts import Forecasts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['COLUMNS', 'FEW_STEPS', 'draw_components', 'draw_course', 'draw_error_by_step',
           'draw_forecasts', 'draw_window', 'legend_below', 'panels_of', 'time_axis']

# N windows in the order of time, P steps ahead, C columns, T rows of a series

_TRUTH, _FORECAST = INK, COLOURS[1]
FEW_STEPS = 6
"""Fewer steps make no picture of a window: then window follows window."""
COLUMNS = 4
"""Shown at most."""
_WINDOWS = 200  # shown at most
_LONG_SERIES, _NEAR = 1000, 240  # rows; of more, so many are drawn a second time
_NARROW_DATES = 6  # with fewer matplotlib finds no step for some ranges
# What matplotlib lacks where a few days, hours or years leave it no step, by its units of time.
_WHOLE = {1: 12, 4: 24, 5: 60, 6: 60}
_PART_NAMES = {'seasons': 'seasons, all together', 'shifts': 'level shifts'}


def draw_forecasts(forecasts: Forecasts, intervals: Sequence[Interval], path: Path | str | None,
                   title: str = 'Forecasts', narrow: bool = False) -> 'Figure':
    """Draw forecasts, their intervals and the truth, in the units of the data.

    From six steps ahead on it is windows by the rank of their error, with what came before each
    where that is stored; of several columns the first four, a typical and a hard window. Below, it
    is the first step ahead, window after window, the last 200.

    Args:
        forecasts: Of one run on one split.
        intervals: Of the same forecasts.
        path: Where the PNG goes; None to write none.
        title: At the top of the figure.
        narrow: Whether the panels stand below one another, as a narrow screen needs them.

    Returns:
        The figure, for those who show it in another form.
    """
    count = len(forecasts.ids)
    if forecasts.horizon < FEW_STEPS:
        shown = min(count, _WINDOWS)
        last = f'the last {shown:,} of {count:,} windows' if shown < count else \
            f'all {count:,} windows'
        figure, panels = panels_of(min(len(forecasts.columns), COLUMNS), 1, title,
                                 f'one step ahead, {last}', narrow)
        for column, axes in enumerate(panels[:, 0]):
            draw_course(axes, forecasts, intervals, column, count - shown)
    else:
        several = len(forecasts.columns) > 1
        windows = chosen_windows(forecasts, 4)
        if several:  # the typical and the hard one
            windows = [windows[0], *windows[2:3]]
        drawn = min(len(forecasts.columns), COLUMNS)
        rows = drawn if several else math.ceil(len(windows) / 2)
        wide = min(len(windows), 2)
        left = len(forecasts.columns) - COLUMNS
        more = f'; {left} more columns not shown' if left > 0 else ''
        figure, panels = panels_of(rows, wide, title, f'windows chosen by the rank of their error '
                                                    f'among {count:,}{more}', narrow)
        places = [(window, column) for column in range(drawn) for window in windows] if several \
            else [(window, 0) for window in windows]
        for axes, (window, column) in zip(panels.flat, places, strict=False):
            draw_window(axes, forecasts, intervals, window, column)
        for axes in panels.flat[len(places):]:
            axes.axis('off')
    legend_below(figure, panels[0, 0], narrow)
    save(figure, path)
    return figure


def draw_error_by_step(errors: Sequence[tuple[str, np.ndarray]], path: Path | str | None,
                       references: Mapping[str, np.ndarray] | None = None, windows: int = 0,
                       title: str = 'Error by step ahead', narrow: bool = False) -> 'Figure':
    """Draw the mean squared error of each step ahead, in scaled units.

    The axis is logarithmic where the largest is over fifty times the smallest.

    Args:
        errors: (label, [P]) of each run.
        path: Where the PNG goes, or None.
        references: [P] of simple methods by name, drawn as grey dashes.
        windows: The number of windows behind it.
        title: At the top of the figure.
        narrow: Whether it is for a narrow screen.
    """
    across = 1 if narrow else 3
    figure = new_figure(NARROW if narrow else 8.2,
                        (3.6 if narrow else 4.3) + 0.2 * math.ceil(len(errors) / across))
    heading(figure, title, f'{windows:,} windows, mean over all columns')
    axes = figure.subplots()
    style_axes(axes, xlabel='steps ahead', ylabel='mean squared error, scaled units')
    for index, (label, error) in enumerate(errors):
        look = {'color': COLOURS[index % len(COLOURS)],
                'linestyle': ('-', (0, (5, 2)), (0, (1.5, 1.5)))[index // len(COLOURS) % 3]}
        _step_line(axes, error, label=shorten(label, 40), **look)
    for (name, error), dashes in zip((references or {}).items(), ((4, 3), (1, 2)), strict=False):
        _step_line(axes, error, label=name, color=MUTED, linestyle=(0, dashes))
    fit_scale(axes, np.concatenate([*(error for _, error in errors),
                                    *(references or {}).values()]))
    if axes.get_yscale() == 'linear':
        axes.set_ylim(bottom=0)
    axes.locator_params(axis='x', integer=True)
    axes.set_xlim(1, max(len(error) for _, error in errors))
    figure.legend(loc='outside lower left', ncols=across, frameon=False, fontsize=8.5,
                  labelcolor=INK)
    save(figure, path)
    return figure


def draw_components(parts: Mapping[str, np.ndarray], path: Path | str | None,
                    times: np.ndarray | None = None, borders: Sequence[int] = (),
                    title: str = 'Components of the series', column: int = 0,
                    narrow: bool = False) -> 'Figure':
    """Draw a generated series, and below it each part that is not 0 throughout.

    Of a long series the first rows of the test part, or else the last ones, are drawn a second time
    beside it, so that a day can be told from the next.

    Args:
        parts: [T, C] by name: trend, seasons, shifts, noise, outliers, and gaps (bool).
        path: Where the PNG goes, or None.
        times: [T] datetime64; None for row numbers.
        borders: Rows at which the training, validation and test part end.
        title: At the top of the figure.
        column: Which of the C series.
        narrow: Whether it is for a narrow screen, which has no room for the second drawing.
    """
    drawn = {name: values[:, column] for name, values in parts.items()
             if name != 'gaps' and np.any(values[:, column])}
    truth = sum(parts[name][:, column] for name in ('trend', 'seasons', 'shifts'))
    gaps = parts['gaps'][:, column]
    values = np.where(gaps, np.nan,
                      truth + parts['noise'][:, column] + parts['outliers'][:, column])
    x = np.arange(len(values)) if times is None else times.astype('datetime64[s]').tolist()
    figure = new_figure(NARROW if narrow else 11.4, 2.6 + 1.25 * len(drawn))
    heading(figure, title, f'{len(values):,} rows = {" + ".join(drawn)}'
                           + (f', {int(gaps.sum()):,} missing' if gaps.any() else ''))
    every = slice(0, len(values))
    long = len(values) > _LONG_SERIES and not narrow
    shown = [every, _near(len(values), borders)] if long else [every]
    panels = figure.subplots(1 + len(drawn), len(shown), sharex='col', squeeze=False,
                             height_ratios=[2, *[1] * len(drawn)],
                             width_ratios=[3, 1.4][:len(shown)]).T
    for column_panels, rows in zip(panels, shown, strict=True):
        first = rows.start == 0
        whole = 'series (grey), and its truth' + ('' if narrow else ' without noise and outliers')
        style_axes(column_panels[0], whole if first else f'{rows.stop - rows.start} rows of it')
        column_panels[0].plot(x[rows], values[rows], color=QUIET_LINE, linewidth=0.9)
        column_panels[0].plot(x[rows], truth[rows], color=COLOURS[0],
                              linewidth=1.3 if rows.stop - rows.start <= _LONG_SERIES else 0.7)
        for axes, (name, part) in zip(column_panels[1:], drawn.items(), strict=True):
            style_axes(axes, _PART_NAMES.get(name, name) if first else '')
            _draw_part(axes, name, x[rows], part[rows])
        for border, name in zip(borders[:2], ('validation', 'test'), strict=False):
            if not rows.start <= border < rows.stop:
                continue
            for axes in column_panels:
                axes.axvline(x[border], color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
            left = narrow and name == 'validation'  # of its line, where the two would meet
            column_panels[0].annotate(f' {name} ', (x[border], 1), va='top', fontsize=8.5,
                                      ha='right' if left else 'left', color=MUTED,
                                      xycoords=('data', 'axes fraction'))
        column_panels[0].set_xlim(x[rows.start], x[rows.stop - 1])
        most = _NARROW_DATES if narrow else 9 if first else 4
        time_axis(column_panels[-1], times is not None, most)
    save(figure, path)
    return figure


def _near(rows: int, borders: Sequence[int]) -> slice:
    """The rows of a long series that are drawn a second time."""
    first = borders[1] if len(borders) > 1 else rows - _NEAR
    first = min(first, rows - _NEAR)
    return slice(first, first + _NEAR)


def _draw_part(axes, name: str, x, part: np.ndarray) -> None:
    """A part of a series: what can be foreseen in blue, what cannot in orange."""
    if name == 'outliers':
        hit = np.flatnonzero(part)
        axes.vlines([x[row] for row in hit], 0, part[hit], color=COLOURS[1], linewidth=1.2)
    else:
        axes.plot(x, part, linewidth=0.9,
                  color=COLOURS[0] if name in ('trend', 'seasons', 'shifts') else COLOURS[1])
    axes.locator_params(axis='y', nbins=3)


def legend_below(figure: 'Figure', axes, narrow: bool = False) -> None:
    """What the marks of one panel mean, below all of them."""
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower left',
                  ncols=2 if narrow else 5, frameon=False, fontsize=8.5, labelcolor=INK)


def panels_of(rows: int, columns: int, title: str, subtitle: str, narrow: bool):
    """The figure and its [rows, columns] axes; of a narrow one as many in one column."""
    if narrow:
        rows, columns = rows * columns, 1
    figure = new_figure(NARROW if narrow else 11.4, (3.9 if rows == 1 else 2.5 * rows + 1.1))
    heading(figure, title, subtitle)
    return figure, figure.subplots(rows, columns, squeeze=False)


def draw_course(axes, forecasts: Forecasts, intervals: Sequence[Interval], column: int,
                 first: int) -> None:
    """The first step ahead of every window from `first` on."""
    times = window_times(forecasts)
    x = forecasts.ids[first:].astype(int) if times is None else times[first:].tolist()
    style_axes(axes, shorten(forecasts.columns[column], 40))
    part = (slice(first, None), 0, column)
    _draw(axes, x, forecasts, intervals, part, column)
    truth = _truth(forecasts, part, column)
    axes.plot(x, truth, color=_TRUTH, linewidth=1.2, label='truth', zorder=3)
    time_axis(axes, times is not None, 9 if axes.figure.get_figwidth() > NARROW else _NARROW_DATES)


def draw_window(axes, forecasts: Forecasts, intervals: Sequence[Interval], window: ChosenWindow,
                 column: int) -> None:
    """One window, and what came before it."""
    horizon, place = forecasts.horizon, window.index
    name = f'{shorten(forecasts.columns[column], 24)}, ' if len(forecasts.columns) > 1 else ''
    start = str(forecasts.ids[place]).removesuffix(':00').replace('T', ' ')
    where = f'row {start}' if window_times(forecasts) is None else start
    style_axes(axes, f'{name}{window.reason}', xlabel=f'steps ahead; 1 is {where}')
    x = np.arange(1, horizon + 1)
    part = (place, slice(None), column)
    _draw(axes, x, forecasts, intervals, part, column)
    truth = _truth(forecasts, part, column)
    if forecasts.series is not None:
        here = place * forecasts.stride
        before = forecasts.series[max(0, here - max(2 * horizon, 24)):here]
        truth = np.concatenate([forecasts.original(before)[:, column], truth])
    axes.plot(np.arange(horizon - len(truth), horizon) + 1, truth, color=_TRUTH, linewidth=1.2,
              label='truth', zorder=3)
    axes.axvline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.margins(x=0.01)
    axes.locator_params(axis='x', integer=True)


def _draw(axes, x, forecasts: Forecasts, intervals: Sequence[Interval], part: tuple,
          column: int) -> None:
    """Forecast and intervals of a part of [N, P, C]."""
    scale = forecasts.mean[column], forecasts.deviation[column]
    ordered = sorted(intervals, key=lambda interval: -interval.level)
    for interval, colour in zip(ordered, BANDS[-len(ordered):], strict=False):
        low, high = (unscaled(each[part], *scale) for each in (interval.low, interval.high))
        axes.fill_between(x, low, high, color=colour, linewidth=0,
                          label=f'{100 * interval.level:g} % interval')
    axes.plot(x, unscaled(forecasts.forecasts[part], *scale), color=_FORECAST, linewidth=1.7,
              label='forecast')


def _truth(forecasts: Forecasts, part: tuple, column: int) -> np.ndarray:
    """Targets in original units, NaN where missing."""
    values = unscaled(forecasts.targets[part], forecasts.mean[column], forecasts.deviation[column])
    return values if forecasts.observed is None else np.where(forecasts.observed[part], values,
                                                              np.nan)


def _step_line(axes, error: np.ndarray, **look) -> None:
    marks = {'marker': 'o', 'markersize': 4} if len(error) <= 30 else {}
    axes.plot(np.arange(1, len(error) + 1), error, linewidth=1.8, markeredgewidth=0, **marks,
              **look)


def time_axis(axes, times: bool, most: int) -> None:
    """Few, short dates, or whole rows."""
    if times:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        locator = AutoDateLocator(minticks=3, maxticks=most)
        for unit, whole in _WHOLE.items():
            locator.intervald[unit] = [*locator.intervald[unit], whole]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        axes.set_xlabel('row')
        axes.locator_params(axis='x', integer=True)
