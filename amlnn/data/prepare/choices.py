"""What a user can say about how a source is to be read, judged and divided."""

from dataclasses import dataclass
from pathlib import Path

from amlnn.data.prepare.kinds import PIXEL_LIMIT
from amlnn.data.prepare.sources import NESTED
from amlnn.errors import UsageError

__all__ = ['ON_BAD', 'ON_DUPLICATE', 'ON_LOSS', 'Choices', 'make_choices']

ON_BAD = ('fail', 'skip')
ON_DUPLICATE = ('fail', 'drop', 'keep')
ON_LOSS = ('fail', 'skip', 'convert', 'keep')

LARGEST_LIMIT = 178_956_970
"""Pixels. Pillow reads no larger images, and training reads some with it."""


@dataclass(frozen=True)
class Choices:
    """What the user asked for; `prepare` says what the words mean."""

    ratios: dict[str, float]
    seed: int
    on_bad: str
    on_duplicate: str
    on_loss: str
    labels: Path | None
    image_column: str | None
    label_column: str | None
    nested: str | None
    group_by: str | None
    pixel_limit: int
    fixes: Path | None = None

    @property
    def splits(self) -> list[str]:
        """The parts that the ratios ask for."""
        return [split for split, ratio in self.ratios.items() if ratio > 0]


def make_choices(*, train_ratio: float = 0.8, val_ratio: float = 0.2, test_ratio: float = 0.0,
                 seed: int = 0, on_bad: str = 'fail', on_duplicate: str = 'drop',
                 on_loss: str = 'fail', labels: Path | str | None = None,
                 image_column: str | None = None, label_column: str | None = None,
                 nested: str | None = None, group_by: str | None = None,
                 pixel_limit: int = PIXEL_LIMIT, fixes: Path | str | None = None) -> Choices:
    """What the arguments of `prepare` ask for.

    Raises:
        UsageError: the ratios are no shares of a whole, or a choice is unknown.

    >>> make_choices(val_ratio=0.1, test_ratio=0.1).splits
    ['train', 'val', 'test']
    """
    choices = Choices(
        _checked_ratios(train_ratio, val_ratio, test_ratio), seed, on_bad, on_duplicate, on_loss,
        Path(labels) if labels else None, image_column, label_column, nested, group_by, pixel_limit,
        Path(fixes) if fixes else None)
    _check_choices(choices)
    return choices


def _check_choices(choices: Choices) -> None:
    for option, choice, known in (
            ('--on-bad', choices.on_bad, ON_BAD), ('--on-loss', choices.on_loss, ON_LOSS),
            ('--on-duplicate', choices.on_duplicate, ON_DUPLICATE),
            ('--nested', choices.nested or NESTED[0], NESTED)):
        if choice not in known:
            raise UsageError(f'{option} `{choice}` is unknown', hint=f'one of {", ".join(known)}')
    if not 0 < choices.pixel_limit <= LARGEST_LIMIT:
        raise UsageError(f'--pixel-limit {choices.pixel_limit} is not between 1 and '
                         f'{LARGEST_LIMIT}', hint=f'--pixel-limit {PIXEL_LIMIT}')
    if choices.labels is None and (choices.image_column or choices.label_column):
        raise UsageError('--image-column and --label-column name columns of a table',
                         hint='--labels FILE.csv')
    if choices.labels is not None and choices.nested:
        raise UsageError('--nested takes classes from folders, --labels from a table',
                         hint='give one of them')


def _checked_ratios(train: float, val: float, test: float) -> dict[str, float]:
    ratios = {'train': train, 'val': val, 'test': test}
    for split, ratio in ratios.items():
        if not 0 <= ratio <= 1:
            raise UsageError(f'--{split}-ratio {ratio:g} is not between 0 and 1',
                             hint='80 % is written 0.8')
    if train == 0:
        raise UsageError('--train-ratio 0 leaves nothing to train on',
                         hint='--train-ratio 0.8 --val-ratio 0.2')
    if abs(sum(ratios.values()) - 1) > 1e-6:
        rest = round(1 - train - test, 6)
        text = ' '.join(f'--{split}-ratio {ratio:g}' for split, ratio in ratios.items())
        raise UsageError(f'{text} sum to {sum(ratios.values()):.9g}, not to 1', hint=(
            f'--train-ratio {train:g} --val-ratio {rest:g} --test-ratio {test:g}' if rest >= 0
            else '--train-ratio 0.8 --val-ratio 0.1 --test-ratio 0.1'))
    return ratios
