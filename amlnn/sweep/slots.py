"""Places in which trials run: a process on this machine, whose end is told from its failure."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from amlnn.engine.device import choose_device

__all__ = ['LocalSlot', 'Slot', 'threads_each']

Message = dict[str, Any]


class Slot(Protocol):
    """Runs one trial at a time."""

    def start(self, order: Message) -> None:
        """Begin a trial."""

    def tell(self, answer: Message) -> None:
        """Answer an epoch."""

    def poll(self, seconds: float) -> list[Message]:
        """What it said since, waiting at most so long; a message `died` ends it."""

    def stop(self, seconds: float) -> None:
        """End its trial such that it can be gone on with, and then itself."""


def threads_each(jobs: int) -> int:
    """How many threads each of several processes has, of this machine's processors."""
    return max(1, len(os.sched_getaffinity(0)) // jobs) if hasattr(os, 'sched_getaffinity') \
        else max(1, (os.cpu_count() or 1) // jobs)


class LocalSlot:
    """A process of its own session, gone with whoever holds it.

    Args:
        environment: Of the process, beside this one's.
        log: Where its standard error goes.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, log: Path | None = None):
        self._log = open(log, 'ab') if log else None  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'amlnn.sweep.worker'], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._log or subprocess.DEVNULL,
            env={**os.environ, **(environment or {})}, start_new_session=True)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self._rest = b''
        self._over = False

    def fileno(self) -> int:
        """To wait for it."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def start(self, order: Message) -> None:
        """See `Slot`."""
        self._write(order)

    def tell(self, answer: Message) -> None:
        """See `Slot`."""
        self._write(answer)

    def _write(self, message: Message) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # its end is told by `poll`
            self._process.stdin.write((json.dumps(message) + '\n').encode())
            self._process.stdin.flush()

    def poll(self, seconds: float) -> list[Message]:
        """See `Slot`."""
        if self._over:
            return []
        said = self._selector.select(seconds)
        # Its data-loading workers may hold the other end of the pipe for some seconds longer.
        dead = self._process.poll() is not None
        if not said and not dead:
            return []
        assert self._process.stdout is not None
        chunk = self._process.stdout.read()
        *lines, self._rest = (self._rest + (chunk or b'')).split(b'\n')
        found = [json.loads(line) for line in lines]
        if dead or chunk == b'':
            self._over = True
            found.append({'event': 'died', 'error': self._epitaph()})
            self._close()
        return found

    def _epitaph(self) -> str:
        code = self._process.wait()
        self._kill()  # its data-loading workers
        if code == -signal.SIGKILL:
            return 'killed by the system (SIGKILL), which is what happens without memory left'
        if code < 0:
            return f'its process ended by {signal.Signals(-code).name}'
        return f'its process ended with status {code}'

    def stop(self, seconds: float) -> None:
        """See `Slot`."""
        if self._over:
            return
        self._over = True
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self._kill()
        self._process.wait()
        self._close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _close(self) -> None:
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def environment_of(jobs: int) -> dict[str, str]:
    """What keeps several processes from taking each other's processors."""
    if jobs < 2 or os.environ.get('OMP_NUM_THREADS') or choose_device('auto') != 'cpu':
        return {}
    return {'OMP_NUM_THREADS': str(threads_each(jobs))}
