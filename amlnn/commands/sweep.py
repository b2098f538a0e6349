"""Train every point of a sweep file, and compare them.

python tools/sweep.py configs/sweeps/frozen.py
"""

from pathlib import Path

from amlnn.command import CommandParser


def parser() -> CommandParser:
    parser = CommandParser(
        'Train every point of a sweep file, seed by seed, and compare them. What is done is not '
        'trained again: the same command goes on after a stop, and several on one folder divide '
        'the work.', example='python tools/sweep.py configs/sweeps/frozen.py --seeds 3',
        name='sweep')
    parser.add_argument('sweep', type=Path, help='a file of configs/sweeps, or one like them')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='trials at a time on this machine (default 1)')
    parser.add_argument('--engine', choices=['local', 'ray'], default='local',
                        help='processes of this machine, or a Ray cluster (amlnn[ray])')
    parser.add_argument('--seeds', type=int, metavar='N',
                        help="seeds 0 to N-1 instead of the file's")
    parser.add_argument('--dry-run', action='store_true',
                        help='print the trials, what they share and how long they take')
    parser.add_argument('--work-dir', type=Path, metavar='D', default=Path('work_dirs/sweeps'),
                        help='folder of the run folders, of several sweeps too (default: '
                        'work_dirs/sweeps)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='folder of the report (default: reports/<name of the sweep>)')
    parser.add_argument('--retry', action='store_true', help='train failed trials again')
    parser.add_argument('--data', type=Path, metavar='DIR',
                        help="the data set's folder, instead of the configs'")
    parser.add_argument('--pretrained', metavar='W',
                        help='weights that every trial starts from, or none')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V',
                        help='override keys in every trial, such as train_cfg.max_epochs=5')
    parser.add_argument('--split', choices=['val', 'test'],
                        help='compare on this part (default: test if every trial has it)')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    return parser


def main(args) -> None:
    from amlnn.sweep.run_sweep import run_and_report
    from amlnn.sweep.space import read_sweep
    from amlnn.sweep.trials import SweepOptions

    sweep = read_sweep(args.sweep)
    if args.seeds is not None:
        sweep.take_seeds(args.seeds)
    sweep.test = args.split or sweep.test
    run_and_report(sweep, SweepOptions(
        args.work_dir, args.data, args.pretrained, args.device, args.jobs,
        tuple(args.cfg_options), args.retry), args.engine, args.dry_run, args.out)
