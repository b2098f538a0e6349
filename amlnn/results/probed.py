"""What a probe found, as it is written into `probe.json` and shown."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from amlnn.errors import DataError
from amlnn.foreign_texts import parse_json
from amlnn.formulas.proportions import wilson
from amlnn.formulas.training_pace import TrainingPace

__all__ = ['Cell', 'CurvePoint', 'Gain', 'ProbeRow', 'Probed', 'Share', 'Shots', 'StageRow',
           'chosen_cell', 'read_probed', 'share_right']


@dataclass(frozen=True)
class Share:
    """An accuracy, 0 to 1, with its 95 % interval (Wilson) over the choice of images."""

    value: float
    low: float
    high: float
    images: int

    def __str__(self) -> str:
        return f'{100 * self.value:.2f} ({100 * self.low:.1f} to {100 * self.high:.1f})'


def share_right(right: np.ndarray) -> Share:
    """The share of images that were classified rightly: bool [N].

    >>> print(share_right(np.arange(100) < 90))
    90.00 (82.6 to 94.5)
    """
    value = float(np.mean(right))
    return Share(value, *wilson(value, len(right)), len(right))


@dataclass
class ProbeRow:
    """One method on the features that the head takes."""

    method: str
    choice: str
    """What was chosen, in words: 'C = 0.01'."""
    chosen_on: str
    """The part, or 'leave-one-out' of the training part."""
    accuracy: Share
    """On the part that judges."""
    seconds: float
    """Of all that was tried, from features on."""
    left_out: Share | None = None
    """Of the training images, each told by a fit without it and what is nearly the same."""
    on_val: Share | None = None
    """On the validation part, where the test part judges."""


@dataclass
class Shots:
    """Accuracies with few images of each class."""

    per_class: int | None
    """None for all."""
    accuracies: list[float]
    """Of every draw."""

    @property
    def mean(self) -> float:
        """Of the draws."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float | None:
        """Of the draws' sample; None of one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None


@dataclass(frozen=True)
class CurvePoint:
    """A fitted curve at a number of images a class."""

    images: float
    value: float
    low: float
    high: float


@dataclass
class Gain:
    """What more images would bring: a fitted learning curve at sizes that there are and are not."""

    name: str
    """A class, or 'all classes'."""
    images: float
    """Of the class in the training part; of all classes their mean."""
    now: float
    """Measured with all of them."""
    curve: list[CurvePoint]
    """The last is with twice the images."""

    @property
    def twice(self) -> CurvePoint:
        """With twice the images."""
        return self.curve[-1]


@dataclass
class StageRow:
    """A linear probe at the end of one stage."""

    stage: str
    numbers: int
    accuracy: Share
    logme: float


@dataclass
class Cell:
    """One place of the map: a backbone with so many stages frozen."""

    frozen_stages: int | str
    frozen: int
    """Stages that are frozen, the stem counted."""
    accuracy: Share
    """Of a ridge probe on all that the open part is given or computes."""
    seconds: float | None
    """Of a whole training; None where it could not be measured."""
    right: list[bool] = field(default_factory=list, repr=False)
    """Of each image that judges; not written."""
    pace: TrainingPace | None = None
    """Of trainings with other numbers of epochs and views."""
    chosen: bool = False
    """By `chosen_cell`, among all configs that were probed together."""


@dataclass
class Probed:
    """One config."""

    config: str
    name: str
    backbone: str
    classes: list[str]
    images: dict[str, int]
    """By part."""
    judged_on: str
    features_seconds: float
    computed: int
    """Images whose features were computed; the others were read."""
    rows: list[ProbeRow]
    table_seconds: float = 0.0
    """From features to everything but the seconds of trainings."""
    shots: list[Shots] = field(default_factory=list)
    gains: list[Gain] = field(default_factory=list)
    """Of all classes, then of each."""
    stages: list[StageRow] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    alike: int = 0
    """Training images that are nearly the same as another."""
    epochs: int = 0
    """Of the trainings whose seconds the map has."""
    notes: list[str] = field(default_factory=list)

    @property
    def chose_and_judged(self) -> bool:
        """Whether the validation part did both."""
        return self.judged_on == 'val'

    def as_json(self) -> str:
        """One JSON object.

        >>> row = ProbeRow('ridge', 'strength = 10', 'leave-one-out', share_right(np.ones(4)), 0.1)
        >>> probed = Probed('a.py', 'a', 'ResNet', ['x', 'y'], {'train': 4}, 'val', 1.0, 4, [row])
        >>> json.loads(probed.as_json())['rows'][0]['accuracy']['value']
        1.0
        """
        values = asdict(self)
        for cell in values['cells']:
            del cell['right']
        return json.dumps(values, ensure_ascii=False, indent=1)


def read_probed(path: Path | str) -> list[Probed]:
    """Read a `probe.json`.

    Which images each cell has right is not in it, so its cells are not compared image by image.

    Raises:
        DataError: there is none, or it is not what this version writes.

    >>> row = ProbeRow('ridge', 'strength = 10', 'leave-one-out', share_right(np.ones(4)), 0.1)
    >>> cell = Cell(3, 4, share_right(np.ones(4)), 9.0, [True] * 4, TrainingPace(1., 2., 3., True))
    >>> probed = Probed('a.py', 'a', 'ResNet', ['x', 'y'], {'train': 4}, 'val', 1.0, 4, [row],
    ...                 cells=[cell])
    >>> _ = Path('probe.json').write_text(f'[{probed.as_json()}]')
    >>> again = read_probed('probe.json')[0]
    >>> again.rows == [row], again.cells[0].pace
    (True, TrainingPace(view=1.0, held=2.0, epoch=3.0, once=True))
    """
    again = 'it was not written by this version, or was changed since: run tools/probe.py again'
    try:
        values = parse_json(Path(path).read_text(encoding='utf-8'))
        if not isinstance(values, list):
            raise TypeError('it is no list')
        return [_probed_of(each) for each in values]
    except OSError as error:
        raise DataError(f'`{path}` cannot be read: {error.strerror or error}',
                        hint='python tools/probe.py writes it') from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f'`{path}` is no result of a probe: {error}', hint=again) from None


def _probed_of(values: dict[str, Any]) -> Probed:
    def share(value: dict[str, Any] | None) -> Share | None:
        return None if value is None else Share(**value)

    def shares(row: dict[str, Any]) -> dict[str, Any]:
        return {key: share(value) if key in ('accuracy', 'left_out', 'on_val') else value
                for key, value in row.items()}

    return Probed(**{
        **values,
        'rows': [ProbeRow(**shares(row)) for row in values['rows']],
        'shots': [Shots(**each) for each in values['shots']],
        'gains': [Gain(**{**each, 'curve': [CurvePoint(**point) for point in each['curve']]})
                  for each in values['gains']],
        'stages': [StageRow(**shares(row)) for row in values['stages']],
        'cells': [Cell(**{**shares(cell), 'pace': cell['pace'] and TrainingPace(**cell['pace'])})
                  for cell in values['cells']]})


def chosen_cell(probed: Sequence[Probed]) -> tuple[Probed, Cell] | None:
    """The cheapest cell that is not worse than the best one by more than chance.

    That is, by more than one standard error of the difference of two accuracies on the same images
    (L. Breiman, J. Friedman, C. Stone and R. Olshen, Classification and Regression Trees, 1984,
    3.4.3: the one standard error rule). Where images of two configs differ, they are not paired.

    Returns:
        None where no cell has seconds.

    >>> def cell(frozen, right, seconds):
    ...     right = (np.arange(100) + frozen) % 100 < right
    ...     return Cell(frozen, frozen, share_right(right), seconds, right.tolist())
    >>> one = Probed('a.py', 'a', 'ResNet', [], {}, 'val', 1.0, 4, [], cells=[
    ...     cell(1, 90, 100.0), cell(2, 89, 50.0), cell(3, 60, 10.0)])
    >>> chosen_cell([one])[1].frozen_stages
    2
    """
    cells = [(each, cell) for each in probed for cell in each.cells if cell.seconds is not None]
    if not cells:
        return None
    best = max(cells, key=lambda pair: pair[1].accuracy.value)[1]
    near = [pair for pair in cells if best.accuracy.value - pair[1].accuracy.value
            <= _standard_error(np.array(best.right), np.array(pair[1].right))]
    return min(near, key=lambda pair: pair[1].seconds or 0.0)


def _standard_error(right: np.ndarray, other: np.ndarray) -> float:
    if len(right) != len(other):
        shares = [(float(each.mean()), len(each)) for each in (right, other)]
        return float(np.sqrt(sum(p * (1 - p) / n for p, n in shares)))
    apart = right.astype(float) - other
    return float(apart.std() / np.sqrt(len(apart)))
