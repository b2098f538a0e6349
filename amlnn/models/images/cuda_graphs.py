"""A function of images on a GPU as CUDA graphs: the same kernels, launched all at once.

A frozen stage computes the same for every batch, and a small batch takes a GPU less time than
Python needs to launch its hundred kernels one by one. A graph keeps the launches of one size of
batch, and replays them: no other arithmetic, so no other bits.
"""

# B batch, C channels, H height, W width

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ['CudaGraphs']

_FIRST = 2
"""Calls of one size before it is captured: the last batch of an epoch is not worth a graph."""

_MOST = 4
"""Sizes at most: each keeps its feature maps in the GPU's memory."""


class CudaGraphs:
    """Calls a function, and from its third call with images of one size on replays its kernels.

    Args:
        run: Of one tensor on a GPU, gives one tensor; reads nothing of it back to the processor,
            draws no random numbers, and depends on nothing that changes between calls.

    Attributes:
        refusal: Why nothing is captured any more, as CUDA says it; None where all is well. The
            function is then called as it is.

    >>> CudaGraphs(torch.sin)(torch.zeros(2))  # what is not on a GPU is just computed
    tensor([0., 0.])
    """

    def __init__(self, run: Callable[[Tensor], Tensor]):
        self.refusal: str | None = None
        self._run = run
        self._calls: Counter = Counter()
        self._graphs: dict[tuple, _Graph] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """The function's output; it is overwritten by the next call, and so is to be copied."""
        if self.refusal is not None or x.device.type != 'cuda':
            return self._run(x)
        size = (tuple(x.shape), x.stride(), x.dtype)
        if size not in self._graphs:
            self._calls[size] += 1
            if self._calls[size] <= _FIRST or len(self._graphs) == _MOST:
                return self._run(x)
            self.capture(x)
        return self._graphs[size](x) if self.refusal is None else self._run(x)

    def capture(self, x: Tensor) -> None:
        """Make the graph for inputs like this one, or set `refusal`."""
        try:
            self._graphs[(tuple(x.shape), x.stride(), x.dtype)] = _Graph(self._run, x)
        except RuntimeError as error:  # it asks the GPU for a number, or memory is out
            self.refusal = str(error).splitlines()[0]
            self._graphs.clear()


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Raise RuntimeError where the processor waits for the GPU: within a capture that would leave
    torch's generator of random numbers unusable."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # that the mode is young
        torch.cuda.set_sync_debug_mode('error')
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)


class _Graph:
    """The kernels of one size."""

    def __init__(self, run: Callable[[Tensor], Tensor], x: Tensor):
        self._given = x.clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside), _no_waiting():
            run(self._given)  # libraries take their memory before a capture, not within
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # Only this thread: another one may be pinning memory for a loader meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode='thread_local'):
            self._output = run(self._given)

    def __call__(self, x: Tensor) -> Tensor:
        self._given.copy_(x)
        self._graph.replay()
        return self._output
