"""What of a training is otherwise in its first epoch, or from a later one on."""

from contextlib import AbstractContextManager, nullcontext

from torch import nn

__all__ = ['Staging']


class Staging:
    """A training that begins as its weights are, and freezes the same in every epoch."""

    def open_for(self, model: nn.Module, epoch: int) -> None:
        """Freeze what an epoch, counted from 1, has frozen."""

    def all_open(self, model: nn.Module) -> AbstractContextManager[None]:
        """A while in which nothing is frozen that will be trained once: optimizers know it all."""
        return nullcontext()

    def frozen_parts(self, model: nn.Module) -> list[str] | None:
        """What is frozen now, by name; None where that never changes."""
        return None

    def start_head(self, model: nn.Module, loader, path) -> str | None:
        """Give a head weights that follow from the training part; what was done, in words.

        Args:
            model: With its weights.
            loader: Of the training part, as it will be trained on.
            path: The fast path, or None.
        """
        return None
