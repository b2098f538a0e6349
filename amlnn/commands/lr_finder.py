"""Train for a moment while the learning rate rises, and suggest one; nothing is kept of it."""

from pathlib import Path

from amlnn.command import CommandParser


def main(args) -> None:
    from amlnn.config.data_place import data_option
    from amlnn.config.load import load_config
    config = load_config(args.config, [*args.cfg_options, *data_option(args.data)])
    from rich.console import Console

    from amlnn.console import say
    from amlnn.engine.device import choose_device
    from amlnn.engine.lr_finder import Ramp, find_rate
    from amlnn.report.rate_range import rate_lines, write_rate_range
    ramp = Ramp(args.min_lr, args.max_lr, args.steps)
    console = Console()
    found = find_rate(config, choose_device(args.device), ramp, console, args.seed,
                      args.pretrained)
    folder = args.out or Path('work_dirs/lr_finder') / found.config
    write_rate_range(folder, found.curve, found.config, found.configured,
                     {'seconds': found.seconds, 'notes': found.notes})
    for line in rate_lines(found.curve, found.configured):
        say(console, line)
    say(console, f'{folder / "lr_finder.png"}')


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/lr_finder.py configs/resnet50_frozen3.py',
                           name='lr_finder')
    parser.add_argument('config', type=Path,
                        help='a config file, or one of amlnn: amlnn::resnet50_frozen3.py')
    parser.add_argument('--min-lr', type=float, default=1e-6, metavar='X',
                        help='the first rate (default: 1e-6)')
    parser.add_argument('--max-lr', type=float, default=10.0, metavar='X',
                        help='the last rate (default: 10)')
    parser.add_argument('--steps', type=int, metavar='N', help='of the optimizer (default: a pass '
                        'over the training part, but 100 to 300)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='folder of curve and table (default: work_dirs/lr_finder/<config>)')
    parser.add_argument('--pretrained', metavar='W',
                        help='weights to start from, or none; replaces model.pretrained')
    parser.add_overrides('train_dataloader.batch_size=16')
    return parser
