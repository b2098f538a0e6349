"""Figures of a probe: the map of accuracy against seconds, and accuracy by images of a class."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.report.canvas import (
    COLOURS,
    INK,
    MUTED,
    NARROW,
    heading,
    new_figure,
    save,
    shorten,
    style_axes,
)
from amlnn.results.probed import Cell, Probed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['draw_map', 'draw_shots']


def draw_map(probed: Sequence[Probed], chosen: Cell | None, path: Path | str | None,
             narrow: bool = False) -> 'Figure':
    """Draw what every number of frozen stages promises against the seconds of its training.

    Args:
        probed: A line each; cells without seconds are left out.
        chosen: The cell that stands out.
        path: Where the PNG goes, or None.
        narrow: Whether it is for a narrow screen.
    """
    from matplotlib.ticker import FuncFormatter
    figure = new_figure(NARROW if narrow else 8.2, 4.8)
    heading(figure, 'Accuracy to expect against seconds of training',
            'a point: stages frozen; bars: 95 % interval over the images; left is cheaper')
    axes = figure.subplots()
    style_axes(axes, xlabel='training, seconds', ylabel='top-1 accuracy of the probe (%)')
    for index, each in enumerate(probed):
        colour = COLOURS[index % len(COLOURS)]
        cells = [cell for cell in each.cells if cell.seconds is not None]
        values = [100 * cell.accuracy.value for cell in cells]
        bars = [[100 * max(cell.accuracy.value - cell.accuracy.low, 0) for cell in cells],
                [100 * max(cell.accuracy.high - cell.accuracy.value, 0) for cell in cells]]
        axes.errorbar([cell.seconds for cell in cells], values, yerr=bars, color=colour, marker='o',
                      markersize=5, linewidth=1.2, elinewidth=0.8, capsize=2,
                      label=shorten(each.name, 24 if narrow else 40))
        for cell, value in zip(cells, values, strict=True):
            axes.annotate(str(cell.frozen_stages), (cell.seconds, value), xytext=(4, 4),
                          textcoords='offset points', fontsize=8, color=MUTED)
            if cell is chosen:
                axes.plot([cell.seconds], [value], marker='o', markersize=11, color=colour,
                          markerfacecolor='none', markeredgewidth=1.6)
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.6g}'))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ''))
    axes.margins(x=0.12, y=0.12)
    _legend(figure, axes, narrow)
    save(figure, path)
    return figure


def draw_shots(probed: Sequence[Probed], path: Path | str | None, narrow: bool = False) -> 'Figure':
    """Draw accuracy by training images a class: what was measured, and the fitted curve beyond.

    Args:
        probed: A line each.
        path: Where the PNG goes, or None.
        narrow: Whether it is for a narrow screen.
    """
    from matplotlib.ticker import FuncFormatter
    figure = new_figure(NARROW if narrow else 8.2, 4.6)
    heading(figure, 'Accuracy by images of each class',
            'points: mean and spread of the draws; lines: fitted, with a 95 % band, to twice the '
            'images')
    axes = figure.subplots()
    style_axes(axes, xlabel='training images of each class', ylabel='top-1 accuracy (%)')
    for index, each in enumerate(probed):
        colour = COLOURS[index % len(COLOURS)]
        if not each.gains:
            continue
        whole = each.gains[0]
        sizes = [shot.per_class or whole.images for shot in each.shots]
        axes.errorbar(sizes, [100 * shot.mean for shot in each.shots],
                      yerr=[100 * (shot.deviation or 0.0) for shot in each.shots], color=colour,
                      linestyle='none', marker='o', markersize=5, capsize=2)
        images = [point.images for point in whole.curve]
        axes.plot(images, [100 * point.value for point in whole.curve], color=colour,
                  linewidth=1.4, label=shorten(each.name, 24 if narrow else 40))
        axes.fill_between(images, [100 * point.low for point in whole.curve],
                          [100 * point.high for point in whole.curve], color=colour, alpha=0.15,
                          linewidth=0)
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.6g}'))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ''))
    _legend(figure, axes, narrow)
    save(figure, path)
    return figure


def _legend(figure, axes, narrow: bool) -> None:
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles=handles, loc='outside lower left', ncols=1 if narrow else 3,
                      frameon=False, fontsize=8.5, labelcolor=INK)
