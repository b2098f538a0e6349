"""Counting parameters, whatever the model."""

from collections.abc import Iterable

from torch import nn

from amlnn.records import FrozenStage

__all__ = ['count_parameters', 'parameter_row']


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Trainable and total number of parameters.

    >>> count_parameters(nn.Linear(3, 2))
    (8, 8)
    """
    row = parameter_row('model', model.parameters())
    return row.trainable_parameters, row.total_parameters


def parameter_row(name: str, parameters: Iterable[nn.Parameter]) -> FrozenStage:
    """How many parameters a part of a model has, and whether all of them are frozen."""
    sizes = [(p.numel(), p.requires_grad) for p in parameters]
    return FrozenStage(name, frozen=not any(trainable for _, trainable in sizes),
                       trainable_parameters=sum(size for size, trainable in sizes if trainable),
                       total_parameters=sum(size for size, _ in sizes))
