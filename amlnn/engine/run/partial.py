"""A stop in the middle of a long epoch that loses nothing: what a checkpoint holds of an epoch.

At a signal, an epoch that has been trained for longer than `save_within` since the last checkpoint
is saved after the step that is under way. What comes after it then depends on where the epoch was,
on the generators that dropout and mixup draw from, and on what had been summed up: all of it is
in the checkpoint, so that the end is the same to the bit. Shorter epochs are trained again.
"""

import random
import signal
import threading
from collections.abc import Iterator
from itertools import islice
from types import FrameType
from typing import Self

import numpy as np
import torch

from amlnn.signals import STOPPING

__all__ = ['StepStop', 'generator_states', 'seconds_of', 'set_generators', 'skip_batches']

# So long a signal waits for a step; data that never come do not keep it waiting.
_PATIENCE = 10


class StepStop:
    """Within it, a signal waits for the end of a step where there is something to save.

    Args:
        worth_saving: Whether there is, at the moment of the signal.
    """

    def __init__(self, worth_saving):
        self._worth_saving = worth_saving
        self._before: dict = {}
        self._came: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: handler for number in STOPPING
                            if (handler := signal.getsignal(number))
                            not in (None, signal.SIG_IGN, signal.SIG_DFL)}
            for number in self._before:
                signal.signal(number, self._wait)
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._came is not None and hasattr(signal, 'alarm'):
            signal.alarm(0)

    @property
    def asked(self) -> bool:
        """Whether a signal waits."""
        return self._came is not None

    def stop(self) -> None:
        """Let the signal that waits take effect."""
        self.__exit__()
        signal.raise_signal(self._came)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if self._came is not None or not self._worth_saving():  # a second one is in a hurry
            self.__exit__()
            self._before[number](number, frame)
            return
        self._came = number
        if hasattr(signal, 'alarm'):
            signal.signal(signal.SIGALRM, lambda *_: self._before[number](number, frame))
            signal.alarm(_PATIENCE)


class _FromBatch:
    """A batch sampler whose first pass begins later."""

    def __init__(self, batches, skipped: int):
        self._batches = batches
        self._skipped = skipped

    def __iter__(self) -> Iterator:
        # At the first batch, not before: PyTorch begins a pass twice where it has workers.
        skipped, self._skipped = self._skipped, 0
        yield from islice(iter(self._batches), skipped, None)

    def __len__(self) -> int:
        return len(self._batches)

    def __getattr__(self, name: str):
        return getattr(self._batches, name)


def skip_batches(loader, count: int) -> None:
    """Let the next pass of a loader begin after so many batches, which are not loaded."""
    if hasattr(loader, 'first_batch'):
        loader.first_batch = count
        return
    # PyTorch allows no other batch sampler in a loader that is built, and asks this one anew in
    # every pass.
    object.__setattr__(loader, 'batch_sampler', _FromBatch(loader.batch_sampler, count))
    if getattr(loader, '_iterator', None) is not None:  # of workers that have started
        loader._iterator._index_sampler = loader.batch_sampler


def generator_states() -> dict:
    """Where the generators of python, numpy and torch are, of plain values."""
    version, python, gauss = random.getstate()
    name, keys, place, has_gauss, cached = np.random.get_state()
    states = {'python': [version, list(python), gauss],
              'numpy': [name, torch.from_numpy(keys.astype(np.int64)), int(place), int(has_gauss),
                        float(cached)],
              'torch': torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states['cuda'] = torch.cuda.get_rng_state_all()
    return states


def set_generators(states: dict) -> None:
    """Bring the generators to where `generator_states` found them."""
    version, python, gauss = states['python']
    random.setstate((version, tuple(python), gauss))
    name, keys, place, has_gauss, cached = states['numpy']
    np.random.set_state((name, keys.numpy().astype(np.uint32), place, has_gauss, cached))
    torch.set_rng_state(states['torch'])
    if 'cuda' in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states['cuda'])


def seconds_of(text: str | float) -> float:
    """Seconds of a time as a config writes it.

    >>> seconds_of('60s'), seconds_of('5min'), seconds_of('1.5h'), seconds_of(30)
    (60.0, 300.0, 5400.0, 30.0)

    Raises:
        ValueError: it is no time.
    """
    if isinstance(text, int | float):
        return float(text)
    units = {'s': 1, 'min': 60, 'h': 3600}
    number = text.rstrip('abcdefghijklmnopqrstuvwxyz')
    unit = text[len(number):] or 's'
    if unit not in units:
        raise ValueError(f'`{text}` is no time')
    return float(number) * units[unit]
