"""How every command of the project parses, fails and ends."""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from amlnn.errors import AmlnnError, Terminated, UsageError

__all__ = ['CommandParser', 'InsteadOf', 'run_command']


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose mistakes are two lines and exit status 2.

    Args:
        description: One sentence: what the command does.
        example: A command line that works, shown at the end of ``--help``.
    """

    def __init__(self, description: str, example: str):
        super().__init__(
            description=description, epilog=f'example:\n  {example}', allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        self.add_argument('--traceback', action='store_true',
                          help='on an error, show where in the code it was raised')

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f'{self.prog} --help')


class InsteadOf(argparse.Action):
    """An option with a value, after which positional arguments are not asked for.

    Args:
        instead_of: What `add_argument` returned for these positional arguments.
    """

    def __init__(self, *args: Any, instead_of: Sequence[argparse.Action], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.instead_of = instead_of

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: str | Sequence[object] | None, option_string: str | None = None) -> None:
        setattr(namespace, self.dest, values)
        for action in self.instead_of:
            action.required = False


def run_command(parser: CommandParser, main: Callable[[argparse.Namespace], int | None],
                argv: Sequence[str] | None = None) -> int:
    """Parse `argv`, call `main`, and return the exit status.

    0 done, 1 the run failed, 2 the user's input was wrong, 130 after Ctrl-C, 143 after SIGTERM.
    """
    argv = sys.argv[1:] if argv is None else argv
    show_traceback = '--traceback' in argv
    _raise_on_sigterm()
    try:
        return main(parser.parse_args(argv)) or 0
    except AmlnnError as error:
        if show_traceback:
            traceback.print_exc()
        print(f'error: {_one_line(error.message)}', file=sys.stderr)
        print(f'hint: {error.hint or "run again with --traceback for the place in the code"}',
              file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as stop:
        print('terminated' if isinstance(stop, Terminated) else 'interrupted', file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    except ImportError as error:
        if show_traceback:
            traceback.print_exc()
        system = 'libGL' in str(error) or 'libgthread' in str(error)
        print(f'error: a library cannot be loaded: {error}', file=sys.stderr)
        print('hint: ' + ('OpenCV needs a package of the system: apt-get install libgl1 '
                          'libglib2.0-0' if system else 'make setup installs what amlnn needs'),
              file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` closed its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # Nothing a user typed should end here; the trace goes with the report of a bug.
        if show_traceback:
            traceback.print_exc()
        text = ' '.join(str(error).split()) or 'no message'
        print(f'error: {type(error).__name__}: {text}', file=sys.stderr)
        print('hint: this looks like a bug; run again with --traceback and report what it shows',
              file=sys.stderr)
        return 1


def _one_line(message: str) -> str:
    """PyTorch wraps what a data-loading worker raised in that worker's trace; its end is ours."""
    last = message.strip().splitlines()[-1] if message.strip() else ''
    return last.partition('Error: ')[2] or last if message.startswith('Caught ') else \
        ' '.join(message.split())


def _raise_on_sigterm() -> None:
    owner = os.getpid()

    def handler(number: int, frame: FrameType | None) -> NoReturn:
        if os.getpid() != owner:  # a data-loading worker, forked with this handler in place
            os._exit(143)
        raise Terminated

    signal.signal(signal.SIGTERM, handler)
