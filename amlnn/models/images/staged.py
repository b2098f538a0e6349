"""Stages that are frozen at first, and trained from given epochs on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from amlnn.config.openings import frozen_at
from amlnn.models.images.freezing import refreeze

__all__ = ['StagedFreezing']


class StagedFreezing:
    """What of a model is frozen in which epoch.

    Args:
        first: `frozen_stages` as the training begins, which the model has.
        unfreeze: What opens when.
    """

    def __init__(self, first: int | str, unfreeze: Sequence[Mapping[str, Any]]):
        self.first, self.unfreeze = first, unfreeze
        self.now = first

    def check(self, model: nn.Module) -> None:
        """Freeze every state once; the model is as it was then.

        Raises:
            ConfigError: the model has not so many stages.
        """
        for each in self.unfreeze:
            refreeze(model, each['frozen_stages'])
        refreeze(model, self.now)

    def set_epoch(self, model: nn.Module, epoch: int) -> bool:
        """Freeze what an epoch, counted from 1, has frozen; whether that is another state."""
        value = frozen_at(self.first, self.unfreeze, epoch)
        if value == self.now:
            return False
        refreeze(model, value)
        self.now = value
        return True

    @contextmanager
    def all_open(self, model: nn.Module) -> Iterator[None]:
        """A while in which all is open that will be, so that an optimizer has groups for it."""
        refreeze(model, self.unfreeze[-1]['frozen_stages'])
        try:
            yield
        finally:
            refreeze(model, self.now)
