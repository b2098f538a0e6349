"""How far a download is: a bar on a terminal, a line every so often elsewhere."""

import time
from typing import TYPE_CHECKING

from amlnn.console import say

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['ByteProgress']


class ByteProgress:
    """Shows done and total megabytes, their speed and the time that is left.

    Args:
        console: Where to show it.
        label: What is being done.
        total: Bytes.
        seconds_between_lines: Where the console is no terminal, and so has no bar.
    """

    def __init__(self, console: 'Console', label: str, total: int,
                 seconds_between_lines: float = 10.0):
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        self._console, self._label, self._total = console, label, total
        self._every = seconds_between_lines
        self._bar = Progress(
            TextColumn('{task.description}', markup=False), BarColumn(), DownloadColumn(),
            TransferSpeedColumn(), TimeRemainingColumn(), console=console, transient=True) \
            if console.is_terminal else None
        self._task = None
        self._start(0)

    def __enter__(self):
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=self._total)
        return self

    def __exit__(self, *_):
        if self._bar:
            self._bar.stop()

    def begin(self, done: int) -> None:
        """Count from `done` bytes, which were there before, and measure the speed from now on."""
        self._start(done)
        if self._bar:
            self._bar.reset(self._task, completed=done)

    def show(self, done: int) -> None:
        """`done` bytes are there."""
        if self._bar:
            self._bar.update(self._task, completed=done)
            return
        now = time.monotonic()
        if now - self._shown < self._every or done >= self._total:
            return
        self._shown = now
        speed = (done - self._from) / (now - self._since)
        left = f', {(self._total - done) / speed:.0f} s left' if speed > 0 else ''
        say(self._console, f'{self._label}: {done / 1e6:.0f} of {self._total / 1e6:.0f} MB, '
                           f'{speed / 1e6:.1f} MB/s{left}')

    def _start(self, done: int) -> None:
        self._from, self._since = done, time.monotonic()
        self._shown = self._since
