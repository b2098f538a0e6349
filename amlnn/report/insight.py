"""What `tools/test.py --explain` kept, on the page: where a network looked, how features lie."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amlnn.errors import DataError
from amlnn.report.blocks import Block, Heading, Text, Thumbnail, Thumbnails, picture
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
from amlnn.report.classification import pixels_jpeg
from amlnn.results.insight import FeatureMap, Looked, read_insight

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['draw_looked', 'draw_map', 'insight_blocks']

_SIDE = 160  # pixels of a picture on the page


def insight_blocks(folder: Path, split: str, classes: Sequence[str], what: str,
                   stem: Path) -> list[Block]:
    """Maps of features and what spoke for which class in mistakes; none where none was kept.

    Args:
        folder: Of the run.
        split: Whose images.
        classes: Names.
        what: Whose predictions, for the pictures.
        stem: The page's path for files of this run.
    """
    path = folder / f'insight_{split}.npz'
    if not path.is_file():
        return []
    try:
        found = read_insight(path)
    except DataError as error:
        return [Text(error.message, 'error')]
    blocks: list[Block] = [Heading('How its features lie')]
    blocks += [picture(
        Path(f'{stem}_map_{each.method.lower()}.png'), partial(draw_map, each, classes),
        f'Features of {what} in two dimensions, by {each.method}',
        f'{len(each.labels):,} images. Crosses: taken for another class.') for each in found.maps]
    if found.looked:
        blocks += _looked_blocks(found.looked, classes, what, stem)
    return blocks


def _looked_blocks(looked: Sequence[Looked], classes: Sequence[str], what: str,
                   stem: Path) -> list[Block]:
    path = Path(f'{stem}_looked.png')
    draw_looked(looked, classes, path)
    shown = [Thumbnail(each.id, pixels_jpeg(_overlaid(each.view, seen), _SIDE),
                       f'for {_name(classes, number)}', '', _name(classes, each.label))
             for each in looked for seen, number in ((each.for_predicted, each.predicted),
                                                     (each.for_label, each.label))]
    return [Heading('Where it looked'),
            Text('Its surest mistakes, each twice: what spoke for the class that it was taken for, '
                 'and for its own (Grad-CAM: the brighter, the more).', 'quiet'),
            Thumbnails(path.name, f'Where {what} looked in its surest mistakes', shown)]


def draw_map(found: FeatureMap, classes: Sequence[str], path: Path | str | None,
             title: str | None = None, narrow: bool = False) -> 'Figure':
    """Draw features as points, coloured by class where there are few; crosses are mistakes.

    Args:
        found: The map.
        classes: Names.
        path: Where the PNG goes, or None.
        title: At the top of the figure.
        narrow: Whether it is for a narrow screen.
    """
    figure = new_figure(*((NARROW, 4.2) if narrow else (7.2, 5.2)))
    shares = ' and '.join(f'{100 * each:.0f} %' for each in found.variance)
    heading(figure, title or f'Features, {found.method}',
            f'{shares} of the variance' if shares else '')
    axes = figure.subplots()
    style_axes(axes, grid='none')
    axes.set_xticks([])
    axes.set_yticks([])
    named = len(classes) <= len(COLOURS)  # each with a colour of its own
    for label in np.unique(found.labels):
        own = found.labels == label
        colour = COLOURS[label % len(COLOURS)] if named else COLOURS[0]
        for wrong, marker, size in ((False, '.', 14), (True, 'x', 16)):
            rows = own & (found.wrong == wrong)
            # Thousands of points are a picture, on a page too.
            axes.scatter(*found.points[rows].T, s=size, marker=marker, color=colour, linewidths=0.9,
                         alpha=0.9 if wrong else 0.55, rasterized=True,
                         label=shorten(_name(classes, label), 18) if named and not wrong else None)
    if named:
        axes.legend(loc='center left', bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False,
                    labelcolor=MUTED)
    save(figure, path)
    return figure


def draw_looked(looked: Sequence[Looked], classes: Sequence[str], path: Path | str,
                title: str = 'Where it looked') -> None:
    """Draw mistakes: what was given, what spoke for the predicted class, what for the true one.

    Args:
        looked: At least one, the surest first.
        classes: Names.
        path: Where the PNG goes.
        title: At the top of the figure.
    """
    across = 2 if len(looked) > 3 else 1
    down = -(-len(looked) // across)
    figure = new_figure(5.4 * across, 2.1 * down + 0.7)
    heading(figure, title, 'each: what it was given; what spoke for what it said; for the truth')
    grid = figure.subplots(down, 3 * across, squeeze=False)
    for axes in grid.flat:
        axes.axis('off')
    for place, each in enumerate(looked):
        row = grid[place % down, 3 * (place // down):][:3]
        for axes, pixels, name, colour in (
                (row[0], each.view, '', INK),
                (row[1], _overlaid(each.view, each.for_predicted),
                 _name(classes, each.predicted), COLOURS[1]),
                (row[2], _overlaid(each.view, each.for_label), _name(classes, each.label), INK)):
            axes.imshow(pixels)
            axes.set_title(shorten(name, 18), fontsize=8.5, color=colour, pad=3)
    save(figure, path, dpi=110)


def _overlaid(view: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """A grey picture that is bright and warm where a place spoke for the class."""
    from PIL import Image
    height, width = view.shape[:2]
    grown = np.asarray(Image.fromarray(seen.clip(0, 1).astype(np.float32)).resize(
        (width, height), Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
    grey = view.mean(axis=2, keepdims=True) / 255
    warm = np.array([1.0, 0.62, 0.1])
    mixed = (0.25 + 0.75 * grown) * grey * (1 - 0.45 * grown) + 0.45 * grown * warm
    return np.asarray((255 * mixed.clip(0, 1)).astype(np.uint8))


def _name(classes: Sequence[str], number: int) -> str:
    return classes[number] if number < len(classes) else f'#{number}'
