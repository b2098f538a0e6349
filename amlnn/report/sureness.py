"""How sure a classifier is, on the page: a fitted temperature, and what to leave unanswered."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.proportions import wilson
from amlnn.formulas.selective import Selective
from amlnn.report.blocks import Block, Heading, Table, Text, picture
from amlnn.report.canvas import (
    COLOURS,
    MUTED,
    NARROW,
    heading,
    new_figure,
    save,
    style_axes,
)
from amlnn.results.classification import Answered, Tempered, answered
from amlnn.results.store import Predictions, StoredRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['draw_selective', 'fitted_on', 'sureness_blocks']

_WANTED = (0.8, 0.9, 0.95, 0.98, 0.99)
_POINTS = 300  # of the curve, however many images there are


def fitted_on(run: StoredRun, split: str) -> Predictions | None:
    """The validation part's predictions, to fit on what is judged on another; else None."""
    if split == 'val' or not run.has_predictions('val'):
        return None
    try:
        return run.predictions('val')
    except DataError:
        return None


def sureness_blocks(predictions: Predictions, fitted: Tempered, other: Predictions | None,
                    what: str, stem: Path) -> list[Block]:
    """What a temperature changes, accuracy against the share answered, and thresholds.

    Args:
        predictions: That are judged.
        fitted: From `tempered`, of the same.
        other: That thresholds are chosen on, as for `answered`.
        what: Whose predictions, for the picture.
        stem: The page's path for files of this run.
    """
    whole = float(predictions.correct.mean())
    wanted = [each for each in _WANTED if each > whole]
    curve, found = answered(predictions, wanted, other)
    where = 'on the validation part' if other is not None else 'on these images'
    blocks: list[Block] = [
        Heading('How sure it is'), Text(_temperature_text(fitted, other is not None)),
        picture(Path(f'{stem}_answered.png'), partial(draw_selective, curve, found),
                f'Accuracy of {what} against the share of images answered',
                'From the left: only the images of which it is surest are answered, then more and '
                f'more. Area above the curve: {100 * curve.risk:.2f} points.')]
    if not found:
        return blocks
    flatters = '' if other is not None else ', which flatters them: judge them on other images'
    return [*blocks, Table(
        ['wanted %', 'threshold', 'answered %', 'accuracy %', '95 % interval', 'images'],
        [_row(each, len(predictions.ids)) for each in found], text_columns=0),
        Text(f'Thresholds were chosen {where}{flatters}. python tools/predict.py CONFIG '
             f'CHECKPOINT photos/ --reject-below {found[0].threshold:g} leaves less sure images '
             'unanswered.', 'quiet')]


def _temperature_text(fitted: Tempered, on_val: bool) -> str:
    surer = 'surer than it is right' if fitted.temperature > 1 else 'less sure than it is right'
    how = 'fitted on the validation part' if on_val else \
        'fitted on one half of the images and judged on the other'
    return (f'It is {surer}: a temperature of {fitted.temperature:.2f}, {how}, takes the expected '
            f'calibration error from {100 * fitted.before.ece:.1f} to '
            f'{100 * fitted.after.ece:.1f} points and the log loss from {fitted.loss_before:.3f} '
            f'to {fitted.loss_after:.3f}; what is predicted stays the same.')


def _row(each: Answered, images: int) -> list[str]:
    if not each.images:
        return [f'{100 * each.wanted:g}', f'{each.threshold:g}', '0', '', '', '0']
    accuracy = each.right / each.images
    low, high = wilson(accuracy, each.images)
    return [f'{100 * each.wanted:g}', f'{each.threshold:g}', f'{100 * each.images / images:.1f}',
            f'{100 * accuracy:.1f}', f'{100 * low:.1f} to {100 * high:.1f}', f'{each.images:,}']


def draw_selective(curve: Selective, found: Sequence[Answered], path: Path | str | None,
                   title: str = 'Accuracy of what is answered', narrow: bool = False) -> 'Figure':
    """Draw accuracy against the share of images that is answered.

    Args:
        curve: From `answered`, as is `found`.
        found: Thresholds, which are marked.
        path: Where the PNG goes, or None.
        title: At the top of the figure.
        narrow: Whether it is for a narrow screen.
    """
    figure = new_figure(*((NARROW, 3.4) if narrow else (7.2, 3.8)))
    heading(figure, title, f'{100 * curve.accuracy[-1]:.1f} % of all images')
    axes = figure.subplots()
    style_axes(axes, xlabel='images answered (%)', ylabel='of them right (%)')
    drawn = np.unique(np.linspace(0, len(curve.share) - 1, _POINTS).round().astype(int))
    axes.plot(100 * curve.share[drawn], 100 * curve.accuracy[drawn], color=COLOURS[0],
              linewidth=1.8)
    axes.set_xlim(0, 101)
    axes.margins(y=0.12)
    for each in found:
        place = int(np.searchsorted(-curve.threshold, -each.threshold, side='right')) - 1
        if place >= 0:  # else nothing here is as sure
            at = 100 * curve.share[place], 100 * curve.accuracy[place]
            axes.plot(*at, 'o', color=COLOURS[1], markersize=6, markeredgecolor='white')
            axes.annotate(f'{each.threshold:g}', at, xytext=(4, 6), textcoords='offset points',
                          fontsize=8.5, color=MUTED)
    save(figure, path)
    return figure
