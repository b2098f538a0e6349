"""Figures of a classifier's predictions: confusion matrix, reliability diagram, worst mistakes."""

import base64
import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amlnn.report.canvas import (
    COLOURS,
    GRID,
    INK,
    MUTED,
    NARROW,
    PALE,
    TILE,
    heading,
    new_figure,
    save,
    shorten,
    style_axes,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

    from amlnn.formulas.accuracies import Calibration
    from amlnn.results.classification import Mistake

__all__ = ['draw_confusion', 'draw_mistakes', 'draw_reliability', 'has_image_files', 'pixels_jpeg',
           'share_text', 'smaller', 'thumbnail_jpeg']

_NUMBERS_UP_TO = 25  # classes; above, the counts would be too small to read
_NUMBERS_UP_TO_NARROW = 12


def draw_confusion(matrix: np.ndarray, classes: Sequence[str], path: Path | str | None,
                   title: str = 'Confusion matrix', narrow: bool = False) -> 'Figure':
    """Draw counts on a colour that is the share of the true class.

    Up to 25 classes every cell that is not 0 carries its count; above, the numbers go and the ticks
    are thinned.

    Args:
        matrix: [K, K] counts, rows true, columns predicted.
        classes: K names.
        path: Where the PNG goes; None to write none.
        title: At the top of the figure.
        narrow: Whether it is for a narrow screen.

    Returns:
        The figure, for those who show it in another form.
    """
    from matplotlib.colors import LinearSegmentedColormap
    count = len(classes)
    support = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, support, out=np.zeros(matrix.shape), where=support > 0)
    numbers = count <= (_NUMBERS_UP_TO_NARROW if narrow else _NUMBERS_UP_TO)
    letters = 12 if narrow else 22
    longest = max(len(shorten(name, letters)) for name in classes)
    if narrow:
        side = NARROW - 1.0 - 0.07 * longest
        below = 0.2 if _upright(longest, side, count) else 0.07 * longest
        figure = new_figure(NARROW, side + 1.15 + below)
    else:
        side = min(max(3.2, 0.62 * count), 9.0) if numbers else 7.4
        figure = new_figure(side + 1.3 + 0.07 * longest, side + 1.2 + 0.05 * longest)
    heading(figure, title, 'row: true class, column: predicted, colour: share of the true class')
    axes = figure.subplots()
    style_axes(axes, xlabel='predicted', ylabel='true', grid='none')
    colours = LinearSegmentedColormap.from_list('share', ['#f7fafc', '#9ecae8', '#0072B2',
                                                          '#003f66'])
    image = axes.imshow(share, cmap=colours, vmin=0, vmax=1, interpolation='nearest')
    step = 1 if numbers else math.ceil(count / 25)
    ticks = list(range(0, count, step))
    labels = [shorten(classes[tick], letters) for tick in ticks]
    axes.set_xticks(ticks, labels, rotation=0 if _upright(longest, side, count) else 90,
                    parse_math=False)
    axes.set_yticks(ticks, labels, parse_math=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if numbers:
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.grid(True, which='minor', color='white', linewidth=1.2)
        axes.tick_params(which='minor', length=0)
        digits = len(str(int(matrix.max())))
        size = min(11.0, 72 * side / count / (0.75 * max(digits, 2)))
        for row, column in np.argwhere(matrix):
            axes.text(column, row, f'{matrix[row, column]:,}', ha='center', va='center',
                      fontsize=size, color='white' if share[row, column] > 0.45 else INK)
    bar = figure.colorbar(image, ax=axes, fraction=0.035, pad=0.02, aspect=30,
                          format=lambda value, _: f'{100 * value:.0f} %')
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=MUTED, length=0)
    bar.solids.set_rasterized(True)  # a picture as the matrix is, on a page too
    save(figure, path)
    return figure


def _upright(longest: int, side: float, count: int) -> bool:
    """Whether so long names fit below their columns; a letter is about 4.8 points wide."""
    return 4.8 * longest < 72 * side / count


def draw_reliability(result: 'Calibration', path: Path | str | None,
                     title: str = 'Reliability', narrow: bool = False,
                     after: 'Calibration | None' = None) -> 'Figure':
    """Draw accuracy against confidence by bin, and below how many images each bin holds.

    Args:
        result: From `amlnn.results.classification.calibration`.
        path: Where the PNG goes, or None.
        title: At the top of the figure.
        narrow: Whether it is for a narrow screen.
        after: The same at a fitted temperature.
    """
    figure = new_figure(*((NARROW, 4.4) if narrow else (5.2, 5.6)))
    fitted = f', {100 * after.ece:.1f} at a fitted temperature' if after else ''
    heading(figure, title, f'expected calibration error {100 * result.ece:.1f} points{fitted}')
    top, bottom = figure.subplots(2, 1, height_ratios=[4, 1.1], sharex=True)
    style_axes(top, ylabel='share that is right (%)')
    style_axes(bottom, xlabel='confidence: largest probability (%)', ylabel='images', grid='y')
    centres = 50 * (result.edges[:-1] + result.edges[1:])
    width = 100 * float(np.diff(result.edges)[0])
    filled = result.counts > 0
    accuracy, confidence = 100 * result.accuracy[filled], 100 * result.confidence[filled]
    top.bar(centres[filled], accuracy, width=0.92 * width, color=PALE, linewidth=0)
    top.plot([0, 100], [0, 100], '--', color=MUTED, linewidth=1.2)
    top.plot(confidence, accuracy, 'o', color=COLOURS[0], markersize=5.5, markeredgecolor='white')
    # The distance from the diagonal is what the error sums.
    top.vlines(confidence, np.minimum(accuracy, confidence), np.maximum(accuracy, confidence),
               color=COLOURS[1], linewidth=1.8)
    if after:
        some = after.counts > 0
        top.plot(100 * after.confidence[some], 100 * after.accuracy[some], 's', color=COLOURS[2],
                 markersize=4.5, markerfacecolor='white', label='at a fitted temperature')
        top.legend(loc='upper left', fontsize=8, frameon=False, labelcolor=MUTED)
    top.annotate('as right as sure', (24, 24), xytext=(-4, 5), textcoords='offset points',
                 rotation=45, rotation_mode='anchor', transform_rotates_text=True, fontsize=8.5,
                 color=MUTED)
    top.set_xlim(0, 100)
    top.set_ylim(0, 102)
    top.set_yticks(range(0, 101, 20))
    bottom.bar(centres, result.counts, width=0.92 * width, color=COLOURS[0], linewidth=0)
    bottom.locator_params(axis='y', nbins=3, integer=True)
    bottom.yaxis.set_major_formatter(lambda value, _: f'{value:,.0f}')
    save(figure, path)
    return figure


def draw_mistakes(mistakes: Sequence['Mistake'], data_root: Path | str | None, path: Path | str,
                  title: str = 'Worst mistakes') -> None:
    """Draw mistaken images with what they are, what they were taken for, and how surely.

    An image that cannot be read becomes an empty tile with its name.

    Args:
        mistakes: At least one, worst first.
        data_root: The folder to which the ids are relative; None if it is not known.
        path: Where the PNG goes.
        title: At the top of the figure.
    """
    columns = min(6, max(3, len(mistakes)))
    rows = math.ceil(len(mistakes) / columns)
    figure = new_figure(1.75 * columns + 0.2, 2.3 * rows + 0.75)
    heading(figure, title, 'above: taken for, and how surely; below: the label')
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis('off')
    for axes, mistake in zip(grid.flat, mistakes, strict=False):
        pixels = _thumbnail(mistake.id, data_root)
        if pixels is None:
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1)
            axes.set_aspect('equal')
            axes.add_patch(_empty_tile())
            parts = shorten(mistake.id, 72).replace('/', '/\n').split('\n')
            lines = [line for part in parts for line in textwrap.wrap(part, 20)]
            axes.text(0.5, 0.5, '\n'.join(lines), ha='center', va='center', fontsize=7,
                      color=MUTED)
        else:
            axes.imshow(pixels)
        axes.set_title(f'{shorten(mistake.predicted, 18)}  {share_text(mistake.prob)}',
                       fontsize=8.5, color=COLOURS[1], pad=4, fontweight='bold')
        axes.text(0.5, -0.05, f'true: {shorten(mistake.label, 22)}', ha='center', va='top',
                  fontsize=8.5, color=INK, transform=axes.transAxes)
    save(figure, path, dpi=110)  # photographs are large as PNG


def thumbnail_jpeg(name: str, data_root: Path | str | None, side: int = 256) -> str | None:
    """The image as a small square JPEG in base64; None where it cannot be read.

    Args:
        name: Of a mistake.
        data_root: The folder to which it is relative; None if it is not known.
        side: Pixels of the square.
    """
    pixels = _thumbnail(name, data_root, side)
    return None if pixels is None else pixels_jpeg(pixels, side)


def pixels_jpeg(pixels: np.ndarray, side: int) -> str:
    """Pixels [H, W, 3] uint8 as a JPEG in base64, made smaller where they are more than `side`."""
    written = io.BytesIO()
    smaller(pixels, side).save(written, format='JPEG', quality=85)
    return base64.b64encode(written.getvalue()).decode('ascii')


def smaller(pixels: np.ndarray, side: int) -> 'Image':
    """Pixels [H, W, 3] uint8 as an image of at most `side` pixels a side."""
    from PIL.Image import fromarray
    image = fromarray(pixels)
    image.thumbnail((side, side))
    return image


def has_image_files(mistakes: Sequence['Mistake'], data_root: Path | str | None) -> bool:
    """Whether any of the mistaken images is a file of its own; those of CIFAR-100 are not.

    Args:
        mistakes: As of `draw_mistakes`.
        data_root: The folder to which the ids are relative; None if it is not known.
    """
    return any(_image_file(mistake.id, data_root) for mistake in mistakes)


def _image_file(name: str, data_root: Path | str | None) -> Path | None:
    if data_root is None:
        return None
    root = Path(data_root).resolve()
    try:
        file = (root / name).resolve()
        # A run folder from elsewhere chooses the name.
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):
        return None


def _thumbnail(name: str, data_root: Path | str | None, side: int = 256) -> np.ndarray | None:
    """[side, side, 3] uint8, a centred square, or None."""
    from PIL import Image, ImageOps
    file = _image_file(name, data_root)
    if file is None:
        return None
    try:
        with Image.open(file) as image:
            image.draft('RGB', (2 * side, 2 * side))
            image = ImageOps.exif_transpose(image).convert('RGB')
            return np.asarray(ImageOps.fit(image, (side, side)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def share_text(share: float) -> str:
    """The share in percent; never '100 %' where some doubt was left.

    >>> share_text(0.987), share_text(0.9999)
    ('99 %', '>99 %')
    """
    return '>99 %' if share > 0.995 else f'{100 * share:.0f} %'


def _empty_tile():
    from matplotlib.patches import Rectangle
    return Rectangle((0.01, 0.01), 0.98, 0.98, facecolor=TILE, edgecolor=GRID, linewidth=1)
