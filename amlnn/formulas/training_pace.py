"""How long a training takes, of what its parts were timed to take."""

from dataclasses import dataclass

__all__ = ['TrainingPace']


@dataclass(frozen=True)
class TrainingPace:
    """Seconds of the parts of a training, with as many images as its data have."""

    view: float
    """Of one view of all training images, read and sent through what is frozen."""
    held: float
    """Of the validation images, read and sent through what is frozen."""
    epoch: float
    """Of an epoch from there on: steps of the rest, and its evaluation."""
    once: bool
    """What is frozen is computed once a view, and validation images once a run."""

    def seconds(self, epochs: int, views: int) -> float:
        """A whole training.

        Args:
            epochs: How many.
            views: Different views of a training image, at most `epochs`.

        >>> TrainingPace(view=10.0, held=2.0, epoch=5.0, once=True).seconds(6, 3)
        62.0
        >>> TrainingPace(view=10.0, held=2.0, epoch=5.0, once=False).seconds(6, 3)
        102.0
        """
        views, held = (views, 1) if self.once else (epochs, epochs)
        return views * self.view + held * self.held + epochs * self.epoch
