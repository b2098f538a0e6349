"""Which backbone to train, how many of its stages to freeze, and for how many epochs.

A probe's map says what each number of frozen stages is worth before anything is trained, and how
long its training takes. What training adds is not in the map: it comes from `ADDED`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from amlnn.engine.run.progress import duration
from amlnn.report.columns import frozen_text
from amlnn.results.probed import Cell, Probed

__all__ = ['REMOVED', 'Option', 'explained', 'options', 'removed', 'seconds_of', 'shortest']

REMOVED = ((0.0, 0.038, 0.349), (0.5, 0.142, 0.461), (1.0, 0.155, 1.103))
"""What training takes off the errors of a probe of the same stages: open share of the stages, share
of the errors after many epochs, and what is missing of it after one; after n it is the n-th part.

Of EfficientNet-Lite0 on the flowers (2,760 images of 224 pixels, 3 seeds): with all of its stages
frozen, with half of them, with none. The map had 75.04, 76.78 and 76.49 %; trained for 10 epochs
they came to 75.13, 79.00 and 77.55 %, and by the third epoch to 73.1, 76.5 and 71.5 %.
"""

MEASURED_ON = 2760
"""Training images that an epoch of `REMOVED` has."""

LEAST_EPOCHS, USUAL_EPOCHS, MOST_EPOCHS = 3, 30, 100
"""The most is for few images, whose epochs are short."""

REPEATS = 2
"""How often a view may come, where little is open and views are kept. At more than three times the
last stage alone learned the flowers by heart, and was best in the fifth of ten epochs.
"""

LITTLE_OPEN = 0.25
"""Share of the stages up to which features are small enough to be kept."""

SLACK = 1.15
"""Of seconds: steps were timed at their fastest."""

EPOCH_SECONDS = 0.4
"""Of an epoch, for what is no step: its checkpoint, its line, loaders that begin anew."""


@dataclass(frozen=True)
class Option:
    """A training that fits."""

    probed: Probed
    cell: Cell
    epochs: int
    views: int
    """Of each training image; as many as epochs where each has its own."""
    seconds: float
    expected: float
    """Top-1, 0 to 1."""

    @property
    def place(self) -> str:
        """Backbone and frozen stages, in words."""
        return f'{self.probed.name}, frozen: {frozen_text(self.cell.frozen_stages)}'

    def __str__(self) -> str:
        views = f' with {self.views} views of each image' if self.views < self.epochs else ''
        return f'{self.place}, {self.epochs} epochs{views}, about {duration(self.seconds)}'


def removed(open_share: float, epochs: float) -> float:
    """The share of a probe's errors that training is expected to remove; below 0, to add.

    Args:
        open_share: Of the stages, 0 to 1.
        epochs: Of MEASURED_ON images.

    >>> round(removed(0.5, 10), 4), round(removed(1.0, 3), 4)
    (0.0959, -0.2127)
    """
    before, after = next((one, other) for one, other in pairwise(REMOVED)
                         if open_share <= other[0])
    weight = (open_share - before[0]) / (after[0] - before[0])
    most, missing = (one + weight * (other - one)
                     for one, other in zip(before[1:], after[1:], strict=True))
    return most - missing / epochs


def seconds_of(cell: Cell, epochs: int, views: int) -> float:
    """About how long a training would take; without end where its steps could not be timed."""
    if cell.pace is None:
        return math.inf
    return SLACK * (cell.pace.seconds(epochs, views) + epochs * EPOCH_SECONDS)


def options(probed: Sequence[Probed], seconds: float) -> list[Option]:
    """Of every backbone and number of frozen stages the longest training that fits, best first.

    Of equally good ones the shorter is first.

    Args:
        probed: The maps of the backbones.
        seconds: That a training may take.
    """
    found = [option for each in probed for option in _of_backbone(each, seconds)]
    return sorted(found, key=lambda option: (-option.expected, option.seconds))


def _of_backbone(probed: Probed, seconds: float) -> Iterator[Option]:
    train = probed.images['train']
    most = max(USUAL_EPOCHS, min(MOST_EPOCHS, math.ceil(10 * MEASURED_ON / train)))
    for cell in probed.cells:
        open_share = _open_share(probed, cell)
        times = _times(open_share)
        epochs = next((count for count in range(most, LEAST_EPOCHS - 1, -1)
                       if seconds_of(cell, count, math.ceil(count / times)) <= seconds), None)
        if epochs is None:
            continue
        views = max(count for count in range(math.ceil(epochs / times), epochs + 1)
                    if seconds_of(cell, epochs, count) <= seconds)
        errors = (1 - cell.accuracy.value) * (1 - removed(open_share, epochs * train / MEASURED_ON))
        yield Option(probed, cell, epochs, views, seconds_of(cell, epochs, views),
                     max(1 - errors, 0.0))


def _open_share(probed: Probed, cell: Cell) -> float:
    return 1 - cell.frozen / max(each.frozen for each in probed.cells)


def _times(open_share: float) -> int:
    """How often a view may come."""
    return REPEATS if open_share <= LITTLE_OPEN else 1


def shortest(probed: Sequence[Probed]) -> float:
    """Seconds of the shortest training that there is."""
    return min((seconds_of(cell, LEAST_EPOCHS, math.ceil(
        LEAST_EPOCHS / _times(_open_share(each, cell)))) for each in probed for cell in each.cells),
        default=math.inf)


def explained(found: Sequence[Option], seconds: float) -> list[str]:
    """What was picked, and why not the runner-up.

    Args:
        found: Of `options`, at least one.
        seconds: As there.
    """
    best, *others = found
    lines = [f'picked: {best} of {duration(seconds)}: {_expected(best)}']
    if not others:
        return [*lines, f'nothing else fits in {LEAST_EPOCHS} epochs']
    second = others[0]
    less = 100 * (best.expected - second.expected)
    why = f'{less:.1f} points less' if less >= 0.05 else 'no better, and takes longer'
    return [*lines, f'runner-up: {second}: {_expected(second)}, {why}']


def _expected(option: Option) -> str:
    return (f'{100 * option.expected:.1f} % expected '
            f'({100 * option.cell.accuracy.value:.1f} by the probe, '
            f'{100 * (option.expected - option.cell.accuracy.value):+.1f} by training)')
