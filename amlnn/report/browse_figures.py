"""Figures of what a training is given: rows of images, windows of a series, learning rates."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amlnn.browsed import RateCourse, ShownWindow
from amlnn.report.canvas import (
    COLOURS,
    INK,
    MUTED,
    NARROW,
    fit_scale,
    heading,
    new_figure,
    save,
    shorten,
    style_axes,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['draw_gallery', 'draw_rates', 'draw_windows']

_GROUPS = 8  # with a colour of their own


def draw_gallery(rows: Sequence[tuple[str, Sequence[tuple[str, np.ndarray]]]],
                 path: Path | str | None) -> 'Figure':
    """Draw rows of images with words before each.

    Args:
        rows: Words, and (name, [H, W, 3] uint8) of each image; one row at least.
        path: Of the PNG, or None.
    """
    across = max(len(images) for _, images in rows)
    figure = new_figure(1.5 * max(across, 2) + 0.3, 1.75 * len(rows) + 0.2)
    grid = figure.subplots(len(rows), across, squeeze=False)
    for axes in grid.flat:
        axes.axis('off')
    for line, (words, images) in zip(grid, rows, strict=True):
        for axes, (_, pixels) in zip(line, images, strict=False):
            axes.imshow(pixels)
        line[0].set_title(shorten(words, 24 * max(across, 2) // 2), fontsize=8, color=INK,
                          loc='left', pad=3)
    save(figure, path, dpi=110)
    return figure


def draw_windows(windows: Sequence[ShownWindow], path: Path | str | None,
                 narrow: bool = False) -> 'Figure':
    """Draw training windows: past, future, and as a training step sees them.

    Args:
        windows: One at least.
        path: Of the PNG, or None.
        narrow: Whether they stand below one another.
    """
    across = 1 if narrow else min(2, len(windows))
    down = math.ceil(len(windows) / across)
    figure = new_figure(NARROW if narrow else 4.6 * across, 1.9 * down + 0.6)
    columns = windows[0].columns
    heading(figure, 'Training windows', ', '.join(shorten(name, 16) for name in columns))
    grid = figure.subplots(down, across, squeeze=False)
    for axes, window in zip(grid.flat, windows, strict=False):
        steps = np.arange(-len(window.past), len(window.future))
        for values, width, alpha in ((window.tilted, 0.8, 0.6),
                                     ((window.past, window.future), 1.6, 1.0)):
            if values is None:
                continue
            whole = np.concatenate(values)
            for place in range(whole.shape[1]):
                axes.plot(steps, whole[:, place], color=COLOURS[place % len(COLOURS)],
                          linewidth=width, alpha=alpha)
        axes.axvline(-0.5, color=MUTED, linewidth=1, linestyle=':')
        style_axes(axes, title=shorten(window.name, 34))
    for axes in grid.flat[len(windows):]:
        axes.axis('off')
    save(figure, path)
    return figure


def draw_rates(courses: Sequence[RateCourse], path: Path | str | None,
               narrow: bool = False) -> 'Figure':
    """Draw the learning rate of every group over the epochs.

    Args:
        courses: One at least.
        path: Of the PNG, or None.
        narrow: Whether it is for a narrow screen.
    """
    from matplotlib.ticker import MaxNLocator
    figure = new_figure(NARROW if narrow else 7.2, 3.4)
    heading(figure, 'Learning rate', 'by epoch, of parameters with the same one')
    axes = figure.subplots()
    for place, course in enumerate(courses):
        whole = np.append(course.epochs, math.floor(course.epochs[-1]) + 1)
        rates = np.append(course.rates, course.rates[-1])
        label = shorten(course.name, 18 if narrow else 42) if place < _GROUPS else None
        axes.step(whole, rates, where='post', color=COLOURS[place % _GROUPS], linewidth=1.6,
                  label=label)
    style_axes(axes, xlabel='epochs trained')
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    fit_scale(axes, [rate for course in courses for rate in course.rates])
    if len(courses) > 1:
        axes.legend(fontsize=7.5 if narrow else 8.5, frameon=False, labelcolor=INK)
    save(figure, path)
    return figure
