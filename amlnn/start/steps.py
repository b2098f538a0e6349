"""Runs commands as a user would, and says which, what came of them, and how much time is left."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console

from amlnn.command import TOOLS, command_line, through_console
from amlnn.console import say
from amlnn.engine.run.progress import duration

__all__ = ['Run', 'Steps']

Run = Callable[[str, Sequence[str]], object]
"""Runs a command by its name in `TOOLS` with the words that follow it."""


class Steps:
    """The steps of one call, against its time.

    Args:
        run: What runs a command.
        console: Where to print.
        seconds: That there are.
        began: When they began to run, by `time.monotonic()`.
    """

    def __init__(self, run: Run, console: Console, seconds: float, began: float):
        self._run = run
        self._console = console
        self._seconds = seconds
        self._began = began

    @property
    def spent(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds; below 0 where they are used up."""
        return self._seconds - self.spent

    def title(self, text: str) -> None:
        """Begin a step."""
        self.say(f'\n{text}')

    def command(self, name: str, *words: str, done: bool = False) -> None:
        """Show a command, and run it unless its result is there.

        Args:
            name: Of TOOLS.
            words: What follows it.
            done: Its result is there.
        """
        self.say(f'$ {command_line(name, *words)}{"   # done before" if done else ""}')
        if not done:
            with _called(name, words):
                self._run(name, words)

    def outcome(self, *lines: str) -> None:
        """Say what came of a step, behind the time."""
        first, *others = lines
        for line in (f'{self.time}  {first}', *others):
            self.say(line)

    @property
    def time(self) -> str:
        """Used and given, in words."""
        return f'{duration(self.spent)} of {duration(self._seconds)}'

    def say(self, text: str) -> None:
        """Print a line, at once: a step may take minutes."""
        say(self._console, text)
        self._console.file.flush()


@contextmanager
def _called(name: str, words: Sequence[str]) -> Iterator[None]:
    """Let a command find itself in sys.argv, as its run's record has it when called by hand."""
    before = sys.argv
    sys.argv = [before[0], name, *words] if through_console() else [TOOLS[name], *words]
    try:
        yield
    finally:
        sys.argv = before
