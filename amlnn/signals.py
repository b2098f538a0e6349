"""Signals that wait while something is written that belongs together."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from types import FrameType
from typing import Any

from amlnn.errors import Terminated

__all__ = ['STOPPING', 'WorkerStart', 'raise_on_sigterm', 'signals_wait', 'worker_context']

# So long a process that was told to end with its group waits for the one that it works for.
_GRACE = 10

# So many seconds after an exception was ignored, or could do harm, its signal is sent anew.
_PAUSE = 0.05

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""What asks a process to end, and can wait."""


@contextmanager
def signals_wait() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block is over; then the first that came takes effect.

    Handlers belong to the main thread; in another one nothing has to wait.

    >>> before = signal.signal(signal.SIGTERM, lambda *_: print('stopped'))
    >>> with signals_wait():
    ...     os.kill(os.getpid(), signal.SIGTERM)
    ...     print('written')
    written
    stopped
    >>> _ = signal.signal(signal.SIGTERM, before)
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def wait(number: int, frame: FrameType | None) -> None:
        came.append(number)

    # What another language has put in place (None) cannot be put back, so it stays.
    before = {number: signal.getsignal(number) for number in STOPPING
              if signal.getsignal(number) is not None}
    try:
        for number in before:
            signal.signal(number, wait)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


class WorkerStart:
    """What a data-loading worker does first: it leaves its end to the process it works for.

    PyTorch lets a worker die at once of a SIGTERM that is not its parent's, as one to a whole group
    is, and the parent then fails for want of a worker where it was to stop.

    Args:
        then: What else it does first, given its number.
    """

    def __init__(self, then: Callable[[int], object] | None = None):
        self._then = then

    def __call__(self, number: int) -> None:
        if hasattr(signal, 'sigwaitinfo'):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            threading.Thread(target=_await_end, args=(os.getppid(), ), daemon=True).start()
        if self._then is not None:
            self._then(number)


def worker_context(context: BaseContext | None) -> BaseContext | None:
    """A context whose forked processes begin with SIGTERM blocked, as `WorkerStart` will have it.

    PyTorch lets a worker die of the signal from its first line on, and imports modules before it
    comes to its `WorkerStart`.

    Args:
        context: What a data loader has; None for Python's own choice.

    Returns:
        The same where processes are not forked.
    """
    chosen = context or multiprocessing
    if chosen.get_start_method() != 'fork' or not hasattr(signal, 'pthread_sigmask'):
        return context
    from multiprocessing.context import ForkContext, ForkProcess  # not on Windows

    class Worker(ForkProcess):
        def run(self) -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            super().run()

    class Context(ForkContext):
        Process = Worker

    return Context()


def _await_end(parent: int) -> None:
    """End when the parent says so; when anybody else does, leave the parent time to say it."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        signal.alarm(_GRACE)
    os._exit(0)


def raise_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: by an exception, Terminated.

    A process that was forked off it with this in place, a data-loading worker that has not come to
    its `WorkerStart`, goes on a little. Told too, the parent ends it; if it went first, the parent
    would find a worker gone, and take a stop for a failure.
    """
    owner = os.getpid()
    if not isinstance(sys.unraisablehook, _SentAnew):
        sys.unraisablehook = _SentAnew(sys.unraisablehook)
    after_imports = _AfterImports()

    def terminate(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            if not after_imports.waits(number, frame):
                raise Terminated
        elif hasattr(signal, 'alarm'):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_GRACE)

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner or not after_imports.waits(number, frame):
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it may be ignored
        signal.signal(signal.SIGINT, interrupt)


class _AfterImports:
    """Lets a signal wait while modules are imported, which takes seconds and leaves nothing.

    An exception that comes out of Python into torch's C++, as it imports its parts, aborts.
    """

    def __init__(self) -> None:
        self._until: float | None = None

    def waits(self, number: int, frame: FrameType | None) -> bool:
        """Whether the signal is sent anew later; a module that hangs is not waited for."""
        while frame is not None and frame.f_code.co_filename != '<frozen importlib._bootstrap>':
            frame = frame.f_back
        if frame is None:
            return False
        if self._until is None:
            self._until = time.monotonic() + _GRACE
        if time.monotonic() > self._until:
            return False
        _send_later(number)
        return True


def _send_later(number: int) -> None:
    """Send this process a signal from a thread, when what is under way may be over."""
    again = threading.Timer(_PAUSE, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()


class _SentAnew:
    """Sends a signal anew whose exception came where Python prints exceptions and goes on.

    Such places are the functions that run at a fork (`logging` has some, and a data loader forks),
    `__del__`, and callbacks of weak references. Without this the signal would be lost.

    Args:
        before: Told everything else.
    """

    def __init__(self, before: Callable[[Any], object]):
        self._before = before
        self._owner = os.getpid()

    def __call__(self, ignored: Any) -> None:
        number = signal.SIGTERM if issubclass(ignored.exc_type, Terminated) else signal.SIGINT
        if not issubclass(ignored.exc_type, KeyboardInterrupt) or os.getpid() != self._owner:
            self._before(ignored)
            return
        _send_later(number)  # an exception in this hook, or in the rest of that place, is ignored
