"""The command `amlnn`: it calls one of the project's commands by name, from any folder."""

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType

from amlnn import __version__
from amlnn.command import CONSOLE, TOOLS, CommandParser, run_command
from amlnn.errors import UsageError
from amlnn.suggest import nearest

__all__ = ['find_command', 'main', 'parser']


def main() -> int:
    """Run what sys.argv names, and return its exit status."""
    # What a run records, and what messages say is to be called next, is what the user calls.
    sys.argv[0] = CONSOLE[Path(sys.argv[0]).name == '__main__.py']
    words = sys.argv[1:]
    name = find_command(words[0]) if words else None
    if name is None:
        return run_command(parser(), _refuse, words[:1])
    command = _module(name)
    return run_command(command.parser(), command.main, words[1:])


def find_command(word: str) -> str | None:
    """The command of that name; None if there is none.

    >>> find_command('check-config'), find_command('data_preprocess'), find_command('trian')
    ('check_config', 'preprocess', None)
    """
    name = word.replace('-', '_')
    name = 'preprocess' if name == 'data_preprocess' else name
    return name if name in TOOLS else None


def parser() -> CommandParser:
    """The command line without a command: help and version."""
    width = max(map(len, TOOLS))
    listed = '\n'.join(f'  {name:{width}}  {_module(name).__doc__.splitlines()[0]}'
                       for name in TOOLS)
    command = CommandParser(
        'Fine-tune image classifiers and train recurrent forecasters from small config files.\n\n'
        f'commands:\n{listed}\n\n`{sys.argv[0]} COMMAND --help` says more of each. '
        'amlnn::NAME is a config that comes with amlnn.',
        'python tools/train.py configs/resnet50_frozen3.py --data data/flower_dataset')
    command.usage = '%(prog)s COMMAND ...'
    command.add_argument('command', nargs='?', help=argparse.SUPPRESS)
    command.add_argument('--version', action='version', version=f'amlnn {__version__}')
    return command


def _module(name: str) -> ModuleType:
    return importlib.import_module(f'amlnn.commands.{name}')


def _refuse(args: argparse.Namespace) -> None:
    everything = f'{sys.argv[0]} --help lists the commands'
    if args.command is None:
        raise UsageError('no command is given', hint=everything)
    near = nearest(args.command.replace('-', '_'), TOOLS)
    raise UsageError(f'no command `{args.command}`', hint=(
        f'did you mean `{sys.argv[0]} {near[0]}`?' if near else everything))
