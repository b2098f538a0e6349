"""The type of what formulas take: arrays of numpy or tensors of torch, all of one kind."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # read by the type checker alone
    import numpy as np
    import torch

__all__ = ['Array']

Array = TypeVar('Array', 'np.ndarray', 'torch.Tensor')
