"""Many series on the page: a table by series, and forecasts of the worst, median and best one."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.atomic import write_text
from amlnn.report.blocks import Listing, Table
from amlnn.report.canvas import save, shorten
from amlnn.report.columns import UNKNOWN, count, error_text
from amlnn.report.figures import metric_text
from amlnn.report.forecasting import (
    COLUMNS,
    FEW_STEPS,
    draw_course,
    draw_window,
    legend_below,
    panels_of,
)
from amlnn.results.forecasting import ChosenWindow, Interval, chosen_windows, one_series
from amlnn.results.forecasts import Forecasts
from amlnn.results.panels import PanelErrors, SeriesErrors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['draw_series', 'series_listing', 'weights_text']

_AT_AN_END = 10  # rows of the worst, and of the best series
_LETTERS = 48  # of a series' name in the table


def draw_series(forecasts: Forecasts, panel: PanelErrors, intervals: Sequence[Interval],
                path: Path | str | None, title: str = 'Forecasts', narrow: bool = False
                ) -> 'Figure':
    """Draw forecasts of the worst, the median and the best series, in the units of the data.

    From six steps ahead on it is the window of each whose error is its median one; below, the
    first step ahead, window after window. Of several columns the first four are drawn.

    Args:
        forecasts: Of a panel.
        panel: Its errors.
        intervals: Of the same forecasts.
        path: Where the PNG goes; None to write none.
        title: At the top of the figure.
        narrow: Whether the panels stand below one another, as a narrow screen needs them.
    """
    chosen = panel.typical
    drawn = min(len(forecasts.columns), COLUMNS)
    left = len(forecasts.columns) - drawn
    what = 'each by its typical window' if forecasts.horizon >= FEW_STEPS else 'one step ahead'
    more = f'; {left} more columns not shown' if left else ''
    figure, panels = panels_of(drawn, len(chosen), title,
                               f'{_among(len(panel.series), len(chosen))}, {what}{more}', narrow)
    letters = 44 if narrow else int(118 / len(chosen))
    places = [(each, column) for column in range(drawn) for each in chosen]
    for axes, ((word, series), column) in zip(panels.flat, places, strict=True):
        own, bounds = one_series(forecasts, intervals, series.place)
        before = f'{shorten(own.columns[column], 24)}, ' if drawn > 1 else ''
        name = shorten(f'{word}: {series.name}', max(letters - len(before), 14))
        if forecasts.horizon < FEW_STEPS:
            draw_course(axes, own, bounds, column, max(0, len(own.ids) - 100))
            axes.set_title(before + name, loc='left', fontsize=10)
        else:
            window = chosen_windows(own, 1)[0]
            draw_window(axes, own, bounds, ChosenWindow(window.index, name), column)
    legend_below(figure, panels[0, 0], narrow)
    save(figure, path)
    return figure


def series_listing(panel: PanelErrors, path: Path) -> Listing:
    """The ten worst and ten best series, with a sentence; all of them go into a CSV.

    Args:
        panel: Errors by series.
        path: Where the CSV goes, beside the page.
    """
    _write_csv(panel, path)
    head = ['series', 'windows', 'MAE', 'scaled MAE']
    head += [f'MAE of {panel.simple}', 'ratio'] if panel.simple else []
    rows = [_cells(each, panel.simple) for each in panel.series]
    between = len(rows) - 2 * _AT_AN_END
    if between > 1:
        rows[_AT_AN_END:-_AT_AN_END] = [[f'… {between:,} between', *[''] * (len(head) - 1)]]
    return Listing(_sentence(panel), Table(head, rows), path.name,
                   f'{"All" if between > 1 else "The"} {len(panel.series):,} series')


def weights_text(wape: float, scaled_mae: float) -> str:
    """Both means over a panel in one sentence.

    >>> weights_text(0.1234, 0.5)
    'Weighted by size the error is 12.3 % (WAPE); with every series counting once, 0.5 scaled MAE.'
    """
    return (f'Weighted by size the error is {100 * wape:.1f} % (WAPE); with every series counting '
            f'once, {metric_text("forecast/mae", scaled_mae)} scaled MAE.')


def _sentence(panel: PanelErrors) -> str:
    text = weights_text(panel.wape, panel.scaled_mae)
    if panel.simple:
        less = sum(each.ratio is not None and each.ratio < 1 for each in panel.series)
        text += (f' In {less:,} of {len(panel.series):,} series it errs less than '
                 f'{panel.simple}, the best simple method.')
    if panel.without:
        text += f' {panel.without:,} series have no window here.'
    return text


def _cells(row: SeriesErrors, simple: str | None) -> list[str]:
    cells = [shorten(row.name, _LETTERS), count(row.windows), error_text(row.mae),
             error_text(row.scaled_mae)]
    return cells + ([error_text(row.simple[simple]), _ratio_text(row.ratio)] if simple else [])


def _ratio_text(ratio: float | None) -> str:
    if ratio is None:
        return UNKNOWN
    if math.isinf(ratio):
        return '∞'
    return f'{ratio:.3f}' if ratio < 10 else f'{ratio:,.1f}'


def _write_csv(panel: PanelErrors, path: Path) -> None:
    methods = list(panel.series[0].simple)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['series', 'windows', 'mse', 'mae', 'scaled_mae',
                     *(f'mae {name}' for name in methods), *(['ratio'] if panel.simple else [])])
    for row in panel.series:
        numbers = [row.mse, row.mae, row.scaled_mae, *(row.simple[name] for name in methods)]
        numbers += [] if row.ratio is None else [row.ratio]
        writer.writerow([row.name, row.windows, *(f'{each:.7g}' for each in numbers)])
    write_text(path, text.getvalue())


def _among(series: int, chosen: int) -> str:
    if chosen < 3:
        return f'{series} series'
    return f'the worst, the median and the best of {series:,} series'
