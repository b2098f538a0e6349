"""Compare forecasters at several rolling origins, and write the best one down.

python tools/backtest.py configs/series/own_ridge.py configs/series/own.py --data my.csv
"""

from pathlib import Path

from amlnn.command import CommandParser, command_line


def parser() -> CommandParser:
    parser = CommandParser(
        'Train forecasters at several origins before the test part, test each on what follows its '
        'origin, and compare them and their blends; the test part itself is not read. What is done '
        'is not done again: the same command goes on after a stop.',
        example='python tools/backtest.py configs/series/own_ridge.py configs/series/own.py '
        '--data my.csv --write configs/mine.py', name='backtest')
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='configs of forecasters')
    parser.add_argument('--origins', type=int, default=4, metavar='K',
                        help='how many (default 4): the second half of the rows before the test '
                        'part is cut into so many stretches')
    parser.add_argument('--no-refit', action='store_true',
                        help='train at the first origin alone, and test that model at all: what is '
                        'lost by not training again')
    parser.add_argument('--metric', choices=['mse', 'mae'], default='mse',
                        help='what is compared, in scaled units (default mse)')
    parser.add_argument('--write', type=Path, metavar='FILE',
                        help='write a config that trains the best one, or the best blend')
    parser.add_argument('--seeds', type=int, default=1, metavar='N', help='seeds 0 to N-1')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='trainings at a time (default 1)')
    parser.add_argument('--data', type=Path, metavar='FILE', help='instead of the configs\' file')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V',
                        help='override keys in every config, such as '
                        'train_dataloader.dataset.horizon=48')
    parser.add_argument('--work-dir', type=Path, metavar='D', default=Path('work_dirs/backtest'),
                        help='folder of the runs (default: work_dirs/backtest)')
    parser.add_argument('--retry', action='store_true', help='train failed ones again')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    return parser


def main(args) -> None:
    from rich.console import Console

    from amlnn.atomic import write_text
    from amlnn.console import say
    from amlnn.sweep.backtest import Backtest, origin_table
    from amlnn.sweep.chosen_config import chosen_config
    from amlnn.sweep.trials import SweepOptions

    console = Console(width=None if Console().is_terminal else 1000)
    options = SweepOptions(args.work_dir, args.data, None, args.device, args.jobs,
                           (*args.cfg_options,), args.retry)
    found = Backtest(args.configs, options, args.origins, args.seeds, not args.no_refit,
                     args.metric).run(console)
    console.print(origin_table(found))
    for line in found.weights_in_words():
        say(console, line, 'note')
    if args.write:
        write_text(args.write, chosen_config(found, options, args.write))
        say(console, f'wrote {args.write}, {found.best.name}: ' + command_line('train', args.write))
