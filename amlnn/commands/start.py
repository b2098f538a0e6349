"""Go the whole way from a folder of images to a tested classifier: each step is a command."""

from importlib import import_module
from pathlib import Path

from amlnn.command import CommandParser


def parser() -> CommandParser:
    parser = CommandParser(
        'Prepare the images of a folder of class folders, look for what is wrong with them, probe\n'
        'the backbones whose weights are here, pick one and how much of it to freeze in the time\n'
        'there is, train, test and report. Each step is shown as the command that takes it by\n'
        'hand, and none is taken twice: the same command goes on after a stop. What was picked is\n'
        'a config file that you can edit.',
        example='python tools/start.py data/raw/flowers --minutes 10', name='start')
    add = parser.add_argument
    add('folder', metavar='DIR', type=Path,
        help='a folder of class folders, its zip or tar file, or a data set that '
             'data_preprocess.py made')
    add('--minutes', type=float, default=10.0, metavar='N',
        help='that the whole may take (10); another time is another config')
    add('--out', type=Path, metavar='DIR',
        help='where raw images are prepared (default: data/<name of the folder>)')
    add('--work-dir', type=Path, metavar='D',
        help='folder of the config, the run and all pages (default: work_dirs/start_<name>)')
    add('--seed', type=int, metavar='N', help="of the training, instead of the config's")
    add('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    return parser


def main(args) -> None:
    import sys
    import time
    began = time.monotonic()

    from rich.console import Console

    from amlnn.errors import UsageError
    from amlnn.start.source import look_at
    if not 0 < args.minutes <= 7 * 24 * 60:
        raise UsageError(f'--minutes {args.minutes:g} is no time to train in',
                         hint='--minutes 10, for instance; at most a week')
    given = look_at(args.folder, args.out)  # before torch is imported: a slip is told at once
    from amlnn.start.steps import Steps
    from amlnn.start.way import StartOptions, start
    # A file or a pipe has no width that text must fit into.
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    start(StartOptions(args.folder, args.minutes, args.out, args.work_dir, args.seed, args.device),
          given, Steps(_run, console, 60 * args.minutes, began))


def _run(name: str, words) -> None:
    """Run another command in this process."""
    command = import_module(f'amlnn.commands.{name}')
    command.main(command.parser().parse_args(words))
