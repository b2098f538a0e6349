"""Which samples one of several processes takes, so that together they do what one would.

In training every process takes a part of each batch: that of a step, over all processes, is the
batch of one process whose batches are so many times larger. In an evaluation it takes whole
batches, every so many-th, so that each forward pass is one that a single process would make. Both
are functions of the order alone, which is the same everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ['Share', 'in_order']


@dataclass(frozen=True)
class Share:
    """The part of one process.

    >>> [Share(rank, 2, batch=2).of(list('abcdefg')) for rank in (0, 1)]
    [['a', 'b', 'e', 'f'], ['c', 'd', 'g']]
    >>> [Share(rank, 2, batch=2, whole=True).of(list('abcdefg')) for rank in (0, 1)]
    [['a', 'b', 'e', 'f'], ['c', 'd', 'g']]
    """

    rank: int
    """Of the process, from 0."""
    count: int
    """Processes."""
    batch: int
    """Samples of a batch of one process."""
    whole: bool = False
    """Take whole batches, as an evaluation does."""
    drop_last: bool = False
    """In training, whether a last batch of fewer samples is left out."""

    def of(self, order: Sequence[Any]) -> list[Any]:
        """The samples of this process, in its order.

        Where the last batch of a training has fewer samples than there are processes, those that
        are left without one repeat one, which has to count for nothing (`is_empty_at_end`): every
        process takes the same number of steps.
        """
        if self.whole:
            starts = range(self.rank * self.batch, len(order), self.count * self.batch)
            return [each for start in starts for each in order[start:start + self.batch]]
        together = self.count * self.batch
        rest = len(order) % together
        end = len(order) - rest
        starts = range(self.rank * self.batch, end, together)
        taken = [each for start in starts for each in order[start:start + self.batch]]
        if rest and not self.drop_last:
            sizes = self.last_sizes(len(order))
            begin = end + sum(sizes[:self.rank])
            taken += order[begin:begin + sizes[self.rank]] or order[end:end + 1]
        return taken

    def length(self, total: int) -> int:
        """How many samples `of` gives, of so many."""
        if self.whole:
            batches = -(-total // self.batch)
            own = range(self.rank, batches, self.count)
            last_is_own = batches > 0 and batches - 1 in own
            return len(own) * self.batch - (last_is_own and batches * self.batch - total)
        sizes = self.last_sizes(total)
        return total // (self.count * self.batch) * self.batch + \
            (max(1, sizes[self.rank]) if sizes else 0)

    def last_sizes(self, total: int) -> list[int]:
        """Samples of each process in a last batch that is not full; [] where it is."""
        rest = total % (self.count * self.batch)
        if not rest or self.drop_last:
            return []
        least, more = divmod(rest, self.count)
        return [least + (rank < more) for rank in range(self.count)]

    def is_empty_at_end(self, total: int) -> bool:
        """Whether this process only repeats a sample in the last step of a training."""
        sizes = [] if self.whole else self.last_sizes(total)
        return bool(sizes) and sizes[self.rank] == 0


def in_order(by_process: Sequence[Sequence[Any]]) -> list[Any]:
    """What each process made of its whole batches, in the order of all batches.

    >>> in_order([['a', 'c', 'e'], ['b', 'd']])
    ['a', 'b', 'c', 'd', 'e']
    """
    count = len(by_process)
    return [by_process[place % count][place // count]
            for place in range(sum(map(len, by_process)))]
