"""What evaluations give, and what may compute them, whatever their kind."""

from collections.abc import Callable
from typing import Protocol

from torch import nn

__all__ = ['Evaluation', 'FastInference']


class Evaluation(Protocol):
    """What every evaluation gives, whatever its kind."""

    metrics: dict[str, float]
    arrays: dict[str, list]
    """What metrics give that is no number, such as one value a class, as lists."""
    loss: float | None
    """Mean over the samples."""
    samples: int
    seconds: float


class FastInference(Protocol):
    """What evaluates in the place of a model's own forward."""

    engine: str
    """What it is called in records."""

    def forward(self, model: nn.Module, batch: dict, context: Callable) -> tuple:
        """See `Task.evaluate`."""
