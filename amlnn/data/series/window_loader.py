"""Batches of windows, and their order.

Axes: N windows, B windows of a batch.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from amlnn.data.series.windows import SeriesWindows
from amlnn.data.shares import Share
from amlnn.errors import DataError

__all__ = ['WindowLoader', 'WindowSampler']


class WindowSampler:
    """The order of windows: a function of seed and epoch only.

    Args:
        length: Windows.
        shuffle: Whether the order is random; if not it is that of time.
        seed: Another seed is another order.
        share: What one of several processes takes of it; None is all.
    """

    def __init__(self, length: int, shuffle: bool, seed: int, share: Share | None = None):
        self.share = share
        self.length = length
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.length if self.share is None else self.share.length(self.length)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of this epoch, counted from 0."""
        self.epoch = epoch

    @property
    def empty_at_end(self) -> bool:
        """Whether the last batch is only there so that all processes take as many steps."""
        return self.share is not None and self.share.is_empty_at_end(self.length)

    def order(self) -> np.ndarray:
        """int64, every window once; of several processes the windows of this one."""
        order = np.arange(self.length) if not self.shuffle else \
            np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        return order if self.share is None else \
            np.array(self.share.of(order.tolist()), dtype=np.int64)

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
        share: What one of several processes takes; None is all of it.

    Attributes:
        first_batch: Where the next pass begins; it is 0 again then.

    Raises:
        DataError: there is no batch.
    """

    first_batch = 0
    smallest: ClassVar = {'batch_size': 1}
    supplied = ('seed', 'share')

    def __init__(self, dataset: SeriesWindows, batch_size: int, shuffle: bool, seed: int,
                 drop_last: bool = False, share: Share | None = None):
        if not isinstance(batch_size, int) or batch_size < 1:
            raise DataError(f'batch_size={batch_size!r} is not a whole number above 0',
                            hint='batch_size=32, say')
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = WindowSampler(len(dataset), shuffle, seed, share)
        if not len(self) and (share is None or not share.whole):
            raise DataError(f'{len(dataset)} windows make no batch of {batch_size}',
                            hint='lower batch_size, or set drop_last=False')

    def __len__(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of this epoch, counted from 0."""
        self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        order = torch.from_numpy(self.sampler.order())
        begin, self.first_batch = self.first_batch, 0
        for batch in range(begin, len(self)):
            first = batch * self.batch_size
            yield self.dataset.__getitems__(order[first:first + self.batch_size])
