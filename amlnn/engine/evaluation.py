"""What every evaluation gives, whatever its kind."""

from typing import Protocol

__all__ = ['Evaluation']


class Evaluation(Protocol):
    """What every evaluation gives, whatever its kind."""

    metrics: dict[str, float]
    arrays: dict[str, list]
    """What metrics give that is no number, such as one value a class, as lists."""
    loss: float | None
    """Mean over the samples."""
    samples: int
    seconds: float
