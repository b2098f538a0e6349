"""What a model that is fitted at once is given."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from amlnn.formulas.training_rows import TrainingRows

__all__ = ['FittingData']


@dataclass(frozen=True)
class FittingData:
    """The data of a training, in scaled units."""

    training: TrainingRows
    """Of all series."""
    validation: TrainingRows | None
    """The rows that follow; None where there are none."""
    batches: Callable[[], Iterator[dict[str, Tensor]]]
    """The windows of the validation part, as the model's preprocessor leaves them."""
