"""How every command of the project is called, parses, fails and ends."""

import argparse
import atexit
import errno
import os
import re
import shlex
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from amlnn.errors import AmlnnError, Terminated, UsageError
from amlnn.signals import raise_on_sigterm

__all__ = ['CONSOLE', 'SYSTEM_LIBRARIES', 'SYSTEM_PACKAGES', 'TOOLS', 'CommandParser', 'InsteadOf',
           'as_called', 'command_line', 'end_process', 'example_as_called', 'process_line',
           'run_command', 'shipped_config', 'through_console', 'told']

TOOLS = {
    'start': 'tools/start.py',
    'preprocess': 'data_preprocess.py',
    'doctor': 'tools/doctor.py',
    'train': 'tools/train.py',
    'test': 'tools/test.py',
    'predict': 'tools/predict.py',
    'check_config': 'tools/check_config.py',
    'browse': 'tools/browse.py',
    'lr_finder': 'tools/lr_finder.py',
    'backbones': 'tools/backbones.py',
    'probe': 'tools/probe.py',
    'report': 'tools/report.py',
    'ensemble': 'tools/ensemble.py',
    'study': 'tools/study.py',
    'sweep': 'tools/sweep.py',
    'backtest': 'tools/backtest.py',
    'quickstart': 'tools/quickstart.py',
}
"""Every command, as `amlnn` knows it, and its file in a checkout."""

CONSOLE = ('amlnn', 'python -m amlnn')
"""What the first of sys.argv is, where a command came through the one console command."""

SYSTEM_PACKAGES = 'apt-get install libgl1 libglib2.0-0'
"""What brings the libraries of the system that OpenCV's windows need."""

SYSTEM_LIBRARIES = (
    'python -m amlnn.opencv puts opencv-python-headless, which needs no windows, in the place of '
    f'opencv-python; or {SYSTEM_PACKAGES}')
"""What to do where OpenCV misses a library of the system."""

_TOOL = re.compile(r'(?:python )?(?<![\w./-])('
                   + '|'.join(re.escape(path) for path in TOOLS.values()) + r')\b')


def through_console() -> bool:
    """Whether the user called `amlnn` rather than a file of a checkout."""
    return sys.argv[:1] != [] and sys.argv[0] in CONSOLE


def command_line(name: str, *words: object) -> str:
    """How the user would call the command `name`, given how this one was called.

    Args:
        name: Of `TOOLS`.
        words: What follows it, written as a shell takes it.

    >>> command_line('test', 'a config.py')
    "python tools/test.py 'a config.py'"
    """
    command = f'{sys.argv[0]} {name}' if through_console() else f'python {TOOLS[name]}'
    return ' '.join([command, *(shlex.quote(str(word)) for word in words)])


def process_line(name: str) -> list[str]:
    """The words that start `command_line(name)` as a process of this Python."""
    if not through_console():
        return [sys.executable, TOOLS[name]]
    if sys.argv[0] == CONSOLE[1]:
        return [sys.executable, '-m', 'amlnn', name]
    # The script need not be on the PATH; -P as it: what lies in the folder is not imported.
    code = 'import sys; from amlnn.commands.main import main; sys.exit(main())'
    return [sys.executable, '-P', '-c', code, name]


def as_called(text: str) -> str:
    """A text that names commands by their files, as the README does, in the words of the user.

    Every hint that is printed goes through here, so that who raises it need not ask.

    >>> as_called('python data_preprocess.py --help')
    'python data_preprocess.py --help'
    """
    if not through_console():
        return text
    names = {path: name for name, path in TOOLS.items()}
    return _TOOL.sub(lambda found: command_line(names[found[1]]), text)


def shipped_config(path: str) -> str:
    """How the user would name a file or folder of the project's configs.

    >>> shipped_config('configs/resnet50_baseline.py')
    'configs/resnet50_baseline.py'
    """
    return path.replace('configs/', 'amlnn::', 1) if through_console() else path


def example_as_called(text: str) -> str:
    """`as_called` for a text whose configs are all the project's own."""
    return ' '.join(shipped_config(word) if word.startswith('configs/') else word
                    for word in as_called(text).split(' '))


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose mistakes are two lines and exit status 2.

    Args:
        description: One sentence: what the command does.
        example: A command line that works, as in a checkout, shown at the end of ``--help``.
        name: Of TOOLS: shown as the user called it.
    """

    def __init__(self, description: str, example: str, name: str | None = None):
        super().__init__(
            prog=name and command_line(name), description=description,
            epilog=f'example:\n  {example_as_called(example)}', allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        self.add_argument('--traceback', action='store_true',
                          help='on an error, show where in the code it was raised')

    def add_overrides(self, example: str) -> None:
        """The options by which a command that opens a config for training takes others.

        Args:
            example: Of a key and a value that this command's user may want to override.
        """
        self.add_argument('--data', metavar='DIR', help="the data set's folder, or a series' file, "
                          "for all parts, instead of the config's")
        self.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V',
                          help=f'override keys, such as {example}')
        self.add_argument('--seed', type=int, metavar='N', help='replaces randomness.seed')
        self.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')

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
    raise_on_sigterm()
    if hasattr(sys.stdout, 'reconfigure'):  # a file name may be no text, or not fit the terminal
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        return main(parser.parse_args(argv)) or 0
    except AmlnnError as error:
        if show_traceback:
            traceback.print_exc()
        print(told(error), file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as stop:
        print('terminated' if isinstance(stop, Terminated) else 'interrupted', file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    except ImportError as error:
        if show_traceback:
            traceback.print_exc()
        system = 'cannot open shared object file' in str(error)
        print(f'error: a library cannot be loaded: {_shown(str(error))}', file=sys.stderr)
        print('hint: ' + (SYSTEM_LIBRARIES if system else 'make setup installs what amlnn needs'),
              file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` closed its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if show_traceback:
            traceback.print_exc()
        print(f'error: {_of_system(error)}', file=sys.stderr)
        print(f'hint: {_OF_SYSTEM.get(error.errno or 0, _USUAL_OF_SYSTEM)}', file=sys.stderr)
        return 1 if error.errno in _OF_DISK else 2
    except Exception as error:
        # Nothing a user typed should end here.
        if show_traceback:
            traceback.print_exc()
        from amlnn.bug_report import write_bug_report
        print(f'error: {type(error).__name__}: {_shown(_words_of(error))}', file=sys.stderr)
        report = write_bug_report(error)
        print('hint: this looks like a bug; ' + (
            f'`{report}` says what is needed to find it, please send it' if report
            else 'run again with --traceback and report what it shows'), file=sys.stderr)
        return 1


def end_process(status: int) -> NoReturn:
    """End the process with a status, once all is done that was left for its end.

    Python would then take apart all that was imported, which takes a second for torch.
    """
    left = [each for each in threading.enumerate() if not each.daemon]
    if left == [threading.main_thread()]:
        atexit._run_exitfuncs()
        with suppress(OSError, ValueError):  # else Python says what is wrong with them
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(status)
    sys.exit(status)


# What the system refuses, and what to do about it.
_OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_OF_SYSTEM = {
    errno.ENOSPC: 'make room on that disk, or take another one',
    errno.EDQUOT: 'make room within the quota of that disk, or take another one',
    errno.EROFS: 'that disk is read-only; name a folder on another one',
    errno.EACCES: 'name a file or folder that this user may read and write',
    errno.EPERM: 'name a file or folder that this user may read and write',
    errno.ENAMETOOLONG: 'the name is too long for that disk; choose a shorter one',
    errno.ENOTDIR: 'a part of that path is a file; name another folder',
    errno.EISDIR: 'that is a folder, and a file is asked for',
    errno.EMFILE: 'raise the number of open files (ulimit -n), or use fewer workers',
}
_USUAL_OF_SYSTEM = 'run again with --traceback for the place in the code'


def _of_system(error: OSError) -> str:
    """An error of the system in one line, with the file."""
    if error.filename is None:
        return ' '.join(f'{type(error).__name__}: {error}'.split())
    return _shown(f'`{error.filename}`: {error.strerror}')


def told(error: AmlnnError) -> str:
    """The two lines of a user's error.

    >>> print(told(UsageError('`a\\x1b[1m\\nb` is no file', hint='name another')))
    error: `a\\x1b[1m b` is no file
    hint: name another
    """
    hint = as_called(error.hint or 'run again with --traceback for the place in the code')
    return f'error: {_shown(_one_line(error.message))}\nhint: {_shown(hint)}'


_LONGEST = 1000
"""Characters of a line: what a file holds may be a million."""


def _shown(text: str) -> str:
    """On one line that a terminal prints as it is, and not without end."""
    text = ' '.join(text.splitlines())
    if len(text) > _LONGEST:
        text = f'{text[:_LONGEST * 2 // 3]} ... {text[-_LONGEST // 3:]}'
    return ''.join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _words_of(error: Exception) -> str:
    try:
        return ' '.join(str(error).split()) or 'no message'
    except Exception:
        return 'its message cannot be printed'


def _one_line(message: str) -> str:
    """PyTorch wraps what a data-loading worker raised in that worker's trace; its end is ours."""
    last = message.strip().splitlines()[-1] if message.strip() else ''
    return last.partition('Error: ')[2] or last if message.startswith('Caught ') else \
        ' '.join(message.split())
