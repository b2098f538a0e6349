"""The picture of a forecast: the end of the past, what is forecast, and its intervals."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from amlnn.predicted_series import PredictedSeries
from amlnn.report.canvas import (
    BANDS,
    COLOURS,
    INK,
    MUTED,
    heading,
    new_figure,
    plain_number,
    save,
    shorten,
    style_axes,
)
from amlnn.report.forecasting import COLUMNS, legend_below, time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ['draw_beside', 'draw_prediction', 'places_shown']

# T rows of the past, P steps ahead, C columns

_SERIES, _WITH_COLUMNS = 6, 3  # series shown at most, of one column and of several
_ACROSS = 3
_HORIZONS, _LEAST_PAST = 3, 24  # how much of the past is shown
_MARKED = 40  # up to so many points each has a mark
_WIDTH = 11.4  # inches


def places_shown(series: int, columns: int = 1) -> list[int]:
    """Which of many series a picture shows: the first, the last, and evenly between.

    >>> places_shown(30), places_shown(2), places_shown(100_000, columns=2)
    ([0, 6, 12, 17, 23, 29], [0, 1], [0, 50000, 99999])
    """
    most = _SERIES if columns == 1 else _WITH_COLUMNS
    if series <= most:
        return list(range(series))
    return [round(place) for place in np.linspace(0, series - 1, most)]


class Predicted(Protocol):
    """Forecasts of what follows the end of each series."""

    point: np.ndarray
    """[series, P, C]."""
    columns: list[str]

    def shown(self, places: Sequence[int]) -> list[PredictedSeries]:
        """Some of the series."""


def draw_beside(table: Path, found: Predicted) -> Path:
    """Draw some of the forecasts beside the file that has them all; the picture's path."""
    path = table.with_suffix('.png')
    places = places_shown(len(found.point), len(found.columns))
    draw_prediction(path, found.shown(places), found.columns, total=len(found.point))
    return path


def draw_prediction(path: Path | str | None, shown: Sequence[PredictedSeries],
                    columns: Sequence[str], title: str = 'Forecast', total: int | None = None
                    ) -> 'Figure':
    """Draw what follows the end of one or several series, behind the end of their past.

    Each series has a panel for each column, of more than four columns for the first four. Six
    series are drawn, of several columns three.

    Args:
        path: Where the PNG goes; it appears whole or not at all. None to write none.
        shown: At least one; see `places_shown`.
        columns: The C names.
        title: At the top of the figure.
        total: Of how many series these are some; by default as many as given.

    Returns:
        The figure.
    """
    most = _SERIES if len(columns) == 1 else _WITH_COLUMNS
    total = len(shown) if total is None else total
    shown = shown[:most]
    drawn = min(len(columns), COLUMNS)
    across = _across(len(shown))
    down = math.ceil(len(shown) / across)
    rows = down * drawn
    figure = new_figure(_WIDTH, 4.2 if rows == 1 else 2.5 * rows + 1.1)
    heading(figure, title, _subtitle(shown, total, drawn, len(columns)))
    panels = figure.subplots(rows, across, squeeze=False)
    for place, series in enumerate(shown):
        block, left = divmod(place, across)
        for column in range(drawn):
            axes = panels[block * drawn + column, left]
            titled = series.name if column == 0 else ''
            named = columns[column] if left == 0 else ''
            style_axes(axes, shorten(titled, int(100 / across)),
                       ylabel=shorten(named, 24 if rows > 1 else 40))
            _draw_panel(axes, series, column, across)
    for axes in panels.flat[len(shown) * drawn:]:
        axes.axis('off')
    legend_below(figure, panels[0, 0])
    save(figure, path)
    return figure


def _across(count: int) -> int:
    """Panels side by side: two by two look better than three and one."""
    return 2 if count == 4 else min(count, _ACROSS)


def _subtitle(shown: Sequence[PredictedSeries], total: int, drawn: int, columns: int) -> str:
    steps = len(shown[0].point)
    text = f'{steps:,} step{"s" * (steps != 1)} ahead'
    ahead = shown[0].ahead
    if total == 1 and ahead is not None and ahead.dtype.kind == 'M':
        first = str(ahead[0].astype('datetime64[s]')).replace('T', ' ')
        text += f', from {first.removesuffix(":00").removesuffix(" 00:00")} on'
    if total > len(shown):
        text += f'; {len(shown)} of {total:,} series'
    if columns > drawn:
        text += f'; the first {drawn} of {columns:,} columns'
    return text


def _draw_panel(axes: 'Axes', series: PredictedSeries, column: int, across: int) -> None:
    past, ahead, dates = _places(series)
    kept = max(_HORIZONS * len(series.point), _LEAST_PAST)
    values = series.values[-kept:, column]
    _draw_intervals(axes, series, ahead, column)
    _line(axes, past[-kept:], values, color=INK, linewidth=1.2, label='past')
    _line(axes, ahead, series.point[:, column], color=COLOURS[1], linewidth=1.7, label='forecast')
    if len(past):
        axes.axvline(_between(past[-1], ahead[0]), color=MUTED, linewidth=0.8,
                     linestyle=(0, (3, 3)))
    axes.margins(x=0.01 if len(ahead) > 1 else 0.03)
    axes.locator_params(axis='y', nbins=6)
    axes.yaxis.set_major_formatter(_tick_text)
    time_axis(axes, dates, 9 if across == 1 else 6)
    if dates:
        _whole_dates(axes)


def _places(series: PredictedSeries) -> tuple[list, list, bool]:
    """Where the past [T] and the forecast [P] stand on the axis, and whether those are dates."""
    times, ahead = series.times, series.ahead
    if times is None or (ahead is None and times.dtype.kind == 'M'):
        times, ahead = np.arange(len(series.values)), None
    if ahead is None:
        ahead = (times[-1] + 1 if len(times) else 0) + np.arange(len(series.point))
    if times.dtype.kind != 'M':
        return times.tolist(), ahead.tolist(), False
    return (times.astype('datetime64[s]').tolist(), ahead.astype('datetime64[s]').tolist(), True)


def _whole_dates(axes: 'Axes') -> None:
    """Days with their month, as a reader of a spreadsheet knows them."""
    from matplotlib.dates import ConciseDateFormatter
    axes.xaxis.set_major_formatter(ConciseDateFormatter(
        axes.xaxis.get_major_locator(),
        formats=['%Y', '%b', '%d %b', '%H:%M', '%H:%M', '%S.%f'],
        zero_formats=['', '%Y', '%d %b', '%d %b', '%H:%M', '%H:%M'],
        offset_formats=['', '%Y', '%Y', '%d %b %Y', '%d %b %Y', '%d %b %Y %H:%M']))
    axes.xaxis.get_offset_text().set_fontsize(8.5)
    axes.xaxis.get_offset_text().set_color(MUTED)


def _between(last, first):
    """Half way: where the past ends."""
    return last + (first - last) / 2


def _draw_intervals(axes: 'Axes', series: PredictedSeries, x: list, column: int) -> None:
    """Bands, the widest behind; of one step bars, since a band of one point has no width."""
    ordered = sorted(series.intervals, key=lambda each: -each[0])
    for (level, low, high), colour in zip(ordered, BANDS[-len(ordered):], strict=False):
        label = f'{100 * level:g} % interval'
        if len(x) == 1:
            axes.vlines(x, low[:, column], high[:, column], color=colour, linewidth=9, label=label)
        else:
            axes.fill_between(x, low[:, column], high[:, column], color=colour, linewidth=0,
                              label=label)


def _line(axes: 'Axes', x: list, y: np.ndarray, **look) -> None:
    """A line with gaps where values are missing; marks where it alone would hardly be seen."""
    known = np.isfinite(y)
    beside = np.zeros(len(y), dtype=bool)
    beside[1:] |= known[:-1]
    beside[:-1] |= known[1:]
    marked = known if len(y) <= _MARKED else known & ~beside
    marks = dict(marker='o', markersize=3, markeredgewidth=0,
                 markevery=np.flatnonzero(marked).tolist()) if marked.any() else {}
    axes.plot(x, np.where(known, y, np.nan), **marks, **look)


def _tick_text(value: float, _position: int | None = None) -> str:
    """A tick's number as a spreadsheet has it, as far as that is short."""
    return f'{value:,.10g}' if 1e5 <= abs(value) < 1e10 else plain_number(value)
