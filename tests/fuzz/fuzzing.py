"""What all fuzzing shares: how many cases, from which seed, and what a clean end is.

The cases are the same on every machine. Others are drawn with

    AMLNN_FUZZ_SEED=1 python -m pytest tests/fuzz -n 2

and AMLNN_FUZZ_TIMES=5 draws five times as many. Nothing is kept between two runs.

A case is run to its end through the outermost error handler of the commands (`run_command`),
and one
that ends uncleanly does not stop the others: the test fails at the end with every kind of unclean
end, the shortest case of each.
"""

import contextlib
import io
import os
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from amlnn.command import CommandParser, run_command
from amlnn.errors import RunFailed

__all__ = ['Tally', 'ending_of', 'fuzz']

_SEED = os.environ.get('AMLNN_FUZZ_SEED', '')
_TIMES = float(os.environ.get('AMLNN_FUZZ_TIMES', '1'))

_LONGEST = 2000
"""Characters that a line may have: what a user wrote is not to be poured over the screen."""
_SECONDS = 60
"""After which a case counts as hanging; the slowest take one, or the import of torch."""


_NO_HINT = 'hint: run again with --traceback'


class Hung(BaseException):
    """A case did not end."""


@dataclass
class Ending:
    """How a command ended."""

    status: int | None
    """None if something got past the error handler."""
    errors: str
    """What stood on standard error."""
    raised: BaseException | None

    @property
    def problem(self) -> str:
        """Why the end is no clean one; '' for a result, or for a user's error in two good lines."""
        if self.status == 0:
            return ''
        if isinstance(self.raised, Hung):
            return f'does not end within {_SECONDS} s'
        if self.status is None:
            return 'gets past the error handler'
        lines = self.errors.splitlines()
        told = [line for line in lines if line.startswith('error: ')]
        if 'Traceback (most recent call last)' in self.errors:
            return 'prints a traceback'
        if 'looks like a bug' in self.errors:
            return 'looks like a bug'
        if self.status != 2 and not isinstance(self.raised, RunFailed):
            return f'exit status {self.status}'
        if len(told) != 1 or lines[-2:-1] != told or not lines[-1].startswith('hint: '):
            return 'is not told in two lines'
        if not lines[-2].removeprefix('error: ').strip() or lines[-1].startswith(_NO_HINT) \
                or not lines[-1].removeprefix('hint: ').strip():
            return 'says nothing'
        return 'is told at great length' if max(map(len, lines[-2:])) > _LONGEST else ''

    @property
    def kind(self) -> str:
        """What tells one fault from another: the problem, what was raised, and where."""
        return f'{self.problem}: {type(self.raised).__name__} in {_place(self.raised)}'


def _shown(error: BaseException | None) -> str:
    try:
        return repr(error)[:200]
    except Exception as other:
        return f'{type(error).__name__} without a repr: {other!r}'


def _place(error: BaseException | None) -> str:
    trace, place = getattr(error, '__traceback__', None), 'nowhere'
    while trace is not None:
        code = trace.tb_frame.f_code
        if '/amlnn/' in code.co_filename and '/tests/' not in code.co_filename:
            place = f'{code.co_filename.rpartition("/amlnn/")[2]}:{trace.tb_lineno} {code.co_name}'
        trace = trace.tb_next
    return place


def ending_of(action: Callable[[], object]) -> Ending:
    """Run a command's main function, or the one behind it, as the command would."""
    raised: list[BaseException] = []

    def main(_: object) -> int:
        try:
            return int(action() or 0)
        except BaseException as error:
            raised.append(error)
            raise

    errors = io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()), \
            warnings.catch_warnings(), _limited():
        warnings.simplefilter('ignore')
        try:
            status: int | None = run_command(CommandParser('Fuzz.', 'python tools/train.py'), main,
                                             [])
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raised.append(error)
            status = None
        finally:
            signal.signal(signal.SIGTERM, before)
    return Ending(status, errors.getvalue(), raised[-1] if raised else None)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass
class Tally:
    """How the cases of one surface ended."""

    cases: int = 0
    refused: int = 0
    """That ended with a user's error."""
    unclean: dict[str, list[str]] = field(default_factory=dict)
    """By kind, the cases."""

    def count(self, action: Callable[[], object], case: str) -> Ending:
        """Run one case.

        Args:
            action: What is run.
            case: What it is about, as it is to be shown if it ends uncleanly.
        """
        ending = ending_of(action)
        self.cases += 1
        self.refused += ending.status == 2
        if ending.problem:
            shown = f'{case[:300]}\n--> {_shown(ending.raised)}\n--> {ending.errors[-300:]}'
            self.unclean.setdefault(ending.kind, []).append(shown)
        return ending

    def check(self, least: int) -> None:
        """Fail where a case ended uncleanly, or where there were fewer cases than planned."""
        bad = sum(map(len, self.unclean.values()))
        print(f'{self.cases} cases, {self.refused} refused, {bad} unclean')
        shown = [f'{len(cases)} x {kind}\n{min(cases, key=len)}'
                 for kind, cases in sorted(self.unclean.items(), key=lambda item: -len(item[1]))]
        assert not bad, f'{bad} of {self.cases} cases end uncleanly\n\n' + '\n\n'.join(shown)
        assert self.cases >= least
        assert self.refused, 'none is refused'
        assert self.refused < self.cases, 'all are refused'


def fuzz(strategy: st.SearchStrategy, cases: int, look: Callable[[object], object]) -> int:
    """Call `look` with so many draws.

    Returns:
        How many were asked for.
    """
    cases = int(cases * _TIMES)

    @settings(max_examples=cases, derandomize=not _SEED, database=None, deadline=None,
              phases=(Phase.generate, ), suppress_health_check=list(HealthCheck))
    @given(strategy)
    def each(drawn: object) -> None:
        look(drawn)

    (seed(int(re.sub(r'\D', '', _SEED) or 0))(each) if _SEED else each)()
    return cases
