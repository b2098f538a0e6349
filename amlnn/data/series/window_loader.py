"""Batches of windows, and their order.

Axes: N windows, B windows of a batch.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from amlnn.data.series.windows import SeriesWindows
from amlnn.errors import DataError

__all__ = ['WindowLoader', 'WindowSampler']


class WindowSampler:
    """The order of windows: a function of seed and epoch only.

    Args:
        length: Windows.
        shuffle: Whether the order is random; if not it is that of time.
        seed: Another seed is another order.
    """

    def __init__(self, length: int, shuffle: bool, seed: int):
        self.length = length
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Take the order of this epoch, counted from 0."""
        self.epoch = epoch

    def order(self) -> np.ndarray:
        """[N] int64, every window once."""
        if not self.shuffle:
            return np.arange(self.length)
        return np.random.default_rng((self.seed, self.epoch)).permutation(self.length)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())


class WindowLoader:
    """Iterates over batches of windows in this process: they are views, workers would only copy.

    Args:
        dataset: The windows.
        batch_size: Windows of a batch.
        shuffle: Whether every epoch has a random order of its own.
        seed: Of the order, 0 or above.
        drop_last: Whether a last batch of fewer windows is left out.

    Raises:
        DataError: there is no batch.
    """

    smallest: ClassVar = {'batch_size': 1}
    supplied = ('seed',)

    def __init__(self, dataset: SeriesWindows, batch_size: int, shuffle: bool, seed: int,
                 drop_last: bool = False):
        if not isinstance(batch_size, int) or batch_size < 1:
            raise DataError(f'batch_size={batch_size!r} is not a whole number above 0',
                            hint='batch_size=32, say')
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = WindowSampler(len(dataset), shuffle, seed)
        if not len(self):
            raise DataError(f'{len(dataset)} windows make no batch of {batch_size}',
                            hint='lower batch_size, or set drop_last=False')

    def __len__(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of this epoch, counted from 0."""
        self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        order = torch.from_numpy(self.sampler.order())
        for batch in range(len(self)):
            first = batch * self.batch_size
            yield self.dataset.__getitems__(order[first:first + self.batch_size])
